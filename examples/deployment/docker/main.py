"""The application of the image: one page."""

from atlas import Application, Route


def home(request):
    return "<h1>It works</h1>"


app = Application([Route("/", home)])
