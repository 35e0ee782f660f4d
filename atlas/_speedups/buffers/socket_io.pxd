"""send(2) without an exception for what is no exception, and what became of what was sent."""

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE 1       /* POLLRDHUP */
    #endif
    #include <errno.h>
    #ifndef _WIN32
    #include <poll.h>
    #include <sys/socket.h>
    #include <sys/ioctl.h>
    #include <sys/uio.h>
    #ifdef __linux__
    #include <linux/sockios.h>
    #endif
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    /* How many bytes of two pieces the socket took at once; 0 if it takes none now, a negative errno if it is broken. */
    static inline Py_ssize_t atlas_socket_write(int fd, const char *a, Py_ssize_t a_size, const char *b, Py_ssize_t b_size)
    {
        struct iovec pieces[2] = {{(void *)a, (size_t)a_size}, {(void *)b, (size_t)b_size}};
        struct msghdr message = {0};
        ssize_t sent;
        message.msg_iov = a_size ? pieces : pieces + 1;
        message.msg_iovlen = a_size && b_size ? 2 : 1;
        do {
            if (b_size == 0) {
                sent = send(fd, a, (size_t)a_size, MSG_DONTWAIT | MSG_NOSIGNAL);
            } else {
                sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
            }
        } while (sent < 0 && errno == EINTR);
        if (sent >= 0) {
            return (Py_ssize_t)sent;
        }
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -errno;
    }

    /* How many bytes the kernel holds that the peer has not acknowledged; 0 where it doesn't tell. */
    static inline Py_ssize_t atlas_socket_unsent(int fd)
    {
        int unsent = 0;
    #ifdef SIOCOUTQ
        if (fd < 0 || ioctl(fd, SIOCOUTQ, &unsent) < 0) {
            return 0;
        }
    #endif
        return unsent;
    }

    /* How many bytes have come and are unread. */
    static inline Py_ssize_t atlas_socket_unread(int fd)
    {
        int unread = 0;
        if (fd < 0 || ioctl(fd, FIONREAD, &unread) < 0) {
            return 0;
        }
        return unread;
    }

    /* Has the peer sent its last byte, whatever waits unread before it? */
    static inline int atlas_socket_ended(int fd)
    {
    #ifdef POLLRDHUP
        struct pollfd asked = {fd, POLLRDHUP, 0};
        return fd >= 0 && poll(&asked, 1, 0) > 0 && (asked.revents & POLLRDHUP) != 0;
    #else
        return 0;
    #endif
    }

    /* Was the connection reset, by the peer or for want of an answer to keepalive probes? Both directions are shut. */
    static inline int atlas_socket_hung_up(int fd)
    {
        struct pollfd asked = {fd, 0, 0};
        return fd >= 0 && poll(&asked, 1, 0) > 0 && (asked.revents & (POLLERR | POLLHUP)) != 0;
    }
    #else
    static inline int atlas_socket_ended(int fd)
    {
        return 0;
    }

    static inline int atlas_socket_hung_up(int fd)
    {
        return 0;
    }

    static inline Py_ssize_t atlas_socket_unsent(int fd)
    {
        return 0;
    }

    static inline Py_ssize_t atlas_socket_unread(int fd)
    {
        return 0;
    }

    static inline Py_ssize_t atlas_socket_write(int fd, const char *a, Py_ssize_t a_size, const char *b, Py_ssize_t b_size)
    {
        return 0;
    }
    #endif
    """
    Py_ssize_t atlas_socket_write(
        int fd, const char* a, Py_ssize_t a_size, const char* b, Py_ssize_t b_size
    ) noexcept nogil
    Py_ssize_t atlas_socket_unsent(int fd) noexcept nogil
    Py_ssize_t atlas_socket_unread(int fd) noexcept nogil
    int atlas_socket_ended(int fd) noexcept nogil
    int atlas_socket_hung_up(int fd) noexcept nogil
