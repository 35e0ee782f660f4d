"""send(2) without an exception for what is no exception."""

cdef extern from *:
    """
    #include <errno.h>
    #ifndef _WIN32
    #include <sys/socket.h>
    #include <sys/uio.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    /* How many bytes of two pieces the socket took at once; 0 if it takes none now, a negative errno if it is broken. */
    static Py_ssize_t atlas_socket_write(int fd, const char *a, Py_ssize_t a_size, const char *b, Py_ssize_t b_size)
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
    #else
    static Py_ssize_t atlas_socket_write(int fd, const char *a, Py_ssize_t a_size, const char *b, Py_ssize_t b_size)
    {
        return 0;
    }
    #endif
    """
    Py_ssize_t atlas_socket_write(
        int fd, const char* a, Py_ssize_t a_size, const char* b, Py_ssize_t b_size
    ) noexcept nogil
