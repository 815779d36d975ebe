"""The agent's tools: a calculator, dates, and a lookup in local files.

Each tool is called with text and the previous step's result (None at first),
and returns its arguments and its result as text. It raises ToolError when it
cannot help. Tools have no side effects, so a mirrored run repeats nothing.
"""

import datetime
import decimal
import math
import pathlib
import re


class ToolError(Exception):
    """A tool could not do what it was asked; the message says why."""


# Calculator: a recursive-descent parser for numbers, + - * / % and parentheses.

MAX_EXPRESSION = 200  # characters
MAX_DEPTH = 30  # parentheses and signs inside one another

WORDS = [
    (r"%\s*of\b|\bpercent\s+of\b", "/100*"),
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\btimes\b|\bmultiplied by\b", "*"),
    (r"\bdivided by\b", "/"),
]


class Expression:
    """Evaluates text exactly, in decimal numbers; it never runs it as code."""

    def __init__(self, text):
        if len(text) > MAX_EXPRESSION:
            raise ToolError("the expression is too long")
        self.tokens = re.findall(r"\d+(?:\.\d+)?|\S", text)
        self.at = 0

    def value(self):
        result = self.sum(0)
        if self.peek():
            raise ToolError("cannot read the expression at %r" % self.peek())
        return result

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self):
        token = self.peek()
        self.at += 1
        return token

    def sum(self, depth):
        result = self.product(depth)
        while self.peek() in ("+", "-"):
            if self.take() == "+":
                result += self.product(depth)
            else:
                result -= self.product(depth)
        return result

    def product(self, depth):
        result = self.factor(depth)
        while self.peek() in ("*", "/", "%"):
            operator, right = self.take(), self.factor(depth)
            if operator == "*":
                result *= right
            elif right == 0:
                raise ToolError("division by zero")
            else:
                result = result / right if operator == "/" else result % right
        return result

    def factor(self, depth):
        if depth > MAX_DEPTH:
            raise ToolError("the expression is nested too deeply")
        token = self.take()
        if token == "-":
            return -self.factor(depth + 1)
        if token == "(":
            result = self.sum(depth + 1)
            if self.take() != ")":
                raise ToolError("a parenthesis is not closed")
            return result
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", token):
            raise ToolError("expected a number, found %r" % (token or "the end"))
        return decimal.Decimal(token)


def calculate(text, previous):
    """Evaluates the expression in text; "that" stands for the previous result."""
    text = text.lower()
    for pattern, operator in WORDS:
        text = re.sub(pattern, operator, text)
    if previous is not None and re.fullmatch(r"-?[0-9.]+", previous):
        text = re.sub(r"\bthat\b", "(%s)" % previous, text)
    candidates = re.findall(r"[-+(0-9][-+*/%().0-9\s]*", text)
    if not candidates:
        raise ToolError("there is no expression in the text")
    expression = max(candidates, key=len).strip().rstrip(".")
    try:
        value = Expression(expression).value()
        result = format(value.quantize(decimal.Decimal("0.000001")).normalize(), "f")
    except decimal.DecimalException:
        raise ToolError("the numbers are too large")
    return {"expression": expression}, "0" if result == "-0" else result


# Dates.

DAY = r"(\d{4}-\d{2}-\d{2}|today|that)"
SHIFT = re.compile(r"(\d{1,5}) (day|week)s? (after|from|before) " + DAY, re.I)
BETWEEN = re.compile(r"(?:between|from) " + DAY + r" (?:and|to|until) " + DAY, re.I)
WEEKDAY = re.compile(r"\b(?:weekday|day of the week)\b.*?" + DAY, re.I)


def parse_day(text, previous):
    text = text.lower()
    if text == "today":
        return datetime.date.today()
    if text == "that":
        text = previous or ""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise ToolError("%r is not a date such as 2026-03-01" % text)


def dates(text, previous):
    """Shifts a date, counts the days between two, or names a weekday."""
    found = SHIFT.search(text)
    if found:
        days = int(found[1]) * (7 if found[2].lower() == "week" else 1)
        if found[3].lower() == "before":
            days = -days
        start = parse_day(found[4], previous)
        try:
            result = start + datetime.timedelta(days=days)
        except OverflowError:
            raise ToolError("that is beyond the calendar")
        return {"start": start.isoformat(), "days": days}, result.isoformat()
    found = BETWEEN.search(text)
    if found:
        first, last = parse_day(found[1], previous), parse_day(found[2], previous)
        return {"first": first.isoformat(), "last": last.isoformat()}, str((last - first).days)
    found = WEEKDAY.search(text)
    if found:
        day = parse_day(found[1], previous)
        return {"day": day.isoformat()}, day.strftime("%A")
    raise ToolError("there is no date question in the text")


# Knowledge: the paragraph that shares the most telling words with a question.

STOP_WORDS = frozenset(
    "a an and are be can do does for from how i in is it my of on or our the to we what when where which who with you your".split()
)


def telling_words(text):
    words = re.findall(r"[^\W_]+", text.lower())
    return {word[:6] for word in words if word not in STOP_WORDS}


class Knowledge:
    """Looks questions up in the paragraphs of a directory's *.md files.

    It reads them once and never changes, so threads may share it.
    """

    def __init__(self, directory, least_share):
        self.least_share = least_share
        self.paragraphs = []  # (file name, text, words)
        for file in sorted(pathlib.Path(directory).glob("*.md")):
            for text in re.split(r"\n\s*\n", file.read_text(encoding="utf-8")):
                text = " ".join(text.split())
                if text and not text.startswith("#"):
                    self.paragraphs.append((file.name, text, telling_words(text)))
        if not self.paragraphs:
            raise ValueError("no knowledge in %s" % directory)

    def weight(self, word):
        """A word says the more the fewer paragraphs hold it."""
        holders = sum(word in words for _, _, words in self.paragraphs)
        return math.log(1 + len(self.paragraphs) / (1 + holders))

    def lookup(self, text, previous):
        weights = {word: self.weight(word) for word in telling_words(text)}
        total = sum(weights.values())
        best, source, answer = 0.0, "", ""
        for file, paragraph, words in self.paragraphs:
            score = sum(weight for word, weight in weights.items() if word in words)
            if score > best:
                best, source, answer = score, file, paragraph
        if total == 0 or best / total < self.least_share:
            raise ToolError("nothing is known about it")
        return {"question": text, "source": source}, answer
