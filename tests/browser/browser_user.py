"""A user of a browser: looks at a page, clicks, types, and waits for elements."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

T = TypeVar("T")
PASSWORD = "four words and a number 7"
PATIENCE = 20.0  # seconds until something that has to come counts as missing; nothing waits that long if it is there

# What a browser itself notes when the answer to a form, or to an address, is an error page.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of (403|404|422) ")


class BrowserUser:
    """One window of a browser, and who uses it."""

    def __init__(self, driver: Any, site: str) -> None:
        self.driver = driver
        self.site = site
        self.window = driver.current_window_handle

    def goes_to(self, path: str) -> None:
        self.driver.get(self.site + path)

    def all(self, selector: str) -> list[Any]:
        """Every element there is right now."""
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def sees(self, selector: str, text: str = "") -> Any:
        """The first element that shows such a text, as soon as it is there."""
        what = f"{selector} with {text!r}"
        return self.waits(lambda: next((each for each in self.all(selector) if text in each.text), None), what)

    def waits(self, question: Callable[[], T | None], what: str) -> T:
        """What the question finds once it finds something. A page may go away under it; then it is asked again."""
        wait = WebDriverWait(self.driver, PATIENCE, 0.02, [StaleElementReferenceException])
        try:
            found: T = wait.until(lambda _: question())
        except TimeoutException:
            raise AssertionError(f"there is no {what} at {self.path}, but:\n{self.text}") from None
        return found

    @property
    def path(self) -> str:
        """Where the window is, without the site."""
        return str(self.driver.current_url).removeprefix(self.site)

    @property
    def text(self) -> str:
        """Everything that the page says."""
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    def fills(self, name: str, value: str) -> None:
        """Type into the field that has this label; what was in it goes."""
        field = self.driver.find_element(By.CSS_SELECTOR, f"#{self.sees('label', name).get_attribute('for')}")
        if field.get_attribute("type") != "file":
            field.clear()
        field.send_keys(value)

    def presses(self, *keys: str) -> None:
        """Keys, wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def focus(self) -> Any:
        """The element that has it."""
        return self.driver.switch_to.active_element

    def clicks(self, text: str, selector: str = "a, button") -> None:
        """Click what is called so, and wait until another page is there."""
        button = self.sees(selector, text)
        before = self.driver.find_element(By.TAG_NAME, "html")
        button.click()
        self.waits(lambda: _is_gone(before) or None, f"page behind {text!r}")

    def registers(self, name: str) -> None:
        """Becomes a member, by the form."""
        self.goes_to("/register")
        self.fills("Name", name)
        self.fills("Password", PASSWORD)
        self.clicks("Register", "main button")
        self.sees(".flash", f"Welcome, {name}.")

    def complaints(self) -> list[str]:
        """What the browser's console says beside what was to be expected: violated policies, scripts that fail ..."""
        messages = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in messages if not EXPECTED.search(message)]

    def runs(self, script: str, *arguments: Any) -> Any:
        """Return the value of a script in the page, for what is not visible and for attacks."""
        return self.driver.execute_script(script, *arguments)


def _is_gone(element: Any) -> bool:
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


__all__ = ["PASSWORD", "BrowserUser", "Keys"]
