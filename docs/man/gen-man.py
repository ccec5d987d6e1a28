#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a manual page for every function from the comments of a header."""
import argparse
import os
import re
import sys

# A comment of kernel-doc's kind, and the declaration that follows it.
ITEM = re.compile(r"^/\*\*(?P<comment>(?:(?!\*/)[\s\S])*)\*/\n(?P<code>(?:(?!/\*).+\n)+)", re.M)
TOPIC = re.compile(r"^/\* -{3,} (.*?) -{3,} \*/$", re.M)
FUNCTION = re.compile(r"^(?!typedef|struct \w+ \{|enum (?:\w+ )?\{|#)[^(;]*?\b(\w+)\([^;]*\);$", re.S)
TYPE = re.compile(r"^(?:struct|enum) (\w+) \{")
MACRO = re.compile(r"^#define (\w+)", re.M)
GUARD = re.compile(r"^#(?:ifndef|endif).*\n?", re.M)
CALL = re.compile(r"\b((?:dmabuf|qda|syncobj)_\w+)\(\)")


class Item:
    def __init__(self, comment, code, topic):
        self.topic = topic
        self.code = GUARD.sub("", code).rstrip()
        lines = [re.sub(r"^ \*( |$)?", "", line).rstrip() for line in comment.strip().split("\n")]
        lines[1:] = "\n".join(lines[1:]).replace(" Return: ", "\nReturn: ").split("\n")
        first, *self.lines = re.sub(r"^\s*\* ?", "", lines[0]).strip(), *lines[1:]
        head = re.match(r"(?:struct |enum )?(\w+) - (.*)", first)
        self.summary = (head[2] if head else first).rstrip()
        if not head:
            self.lines.insert(0, first)
        one_line, _, returns = self.summary.partition(" Return: ")
        if returns:
            self.summary, self.lines = one_line, ["", "Return: " + returns] + self.lines
        match = FUNCTION.match(self.code)
        self.kind = "function" if match else "type" if TYPE.match(self.code) else "macro"
        match = match or TYPE.match(self.code) or MACRO.match(self.code)
        self.name = match[1] if match else ""
        self.names = MACRO.findall(self.code) or [self.name]

    def text(self):
        return "\n".join([self.summary, *self.lines, self.code])


def parse(header):
    """All items with a name, in their order."""
    topics = [(match.start(), match[1]) for match in TOPIC.finditer(header)]
    items = []
    for match in ITEM.finditer(header):
        topic = [name for start, name in topics if start < match.start()]
        item = Item(match["comment"], match["code"], topic[-1] if topic else "")
        if item.name:
            items.append(item)
    return items


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = CALL.sub(r"\\fB\1\\fP(3)", text)
    text = re.sub(r"@(\w+)((?:->\w+)?)", r"\\fI\1\2\\fP", text)
    return "\\&" + text if text[:1] in (".", "'") else text


def body(item):
    """Arguments, paragraphs and the paragraph on what is returned."""
    arguments, paragraphs, returns, current = [], [], [], None
    for line in item.lines:
        argument = re.match(r"@((?:\w+, @)*\w+): *(.*)", line)
        if argument and not paragraphs and not returns:
            current = [argument[2]]
            arguments.append((argument[1].replace("@", ""), current))
        elif not line:
            current = None
        elif line.startswith("Return: "):
            current = [line[len("Return: "):]]
            returns = current
        elif current is None or (line.startswith("* ") and current):
            current = [line]
            paragraphs.append(current)
        else:
            current.append(line.strip())
    return arguments, paragraphs, returns


def sentence(summary):
    if not re.match(r"\w+_", summary):
        summary = summary[0].upper() + summary[1:]
    return roff(summary.rstrip(".")) + "."


def lines_of(lines):
    out = []
    for line in lines:
        if out and re.match(r"-E[A-Z]+(, -E[A-Z]+)*:", line):
            out.append(".br")
        out.append(roff(line))
    return out


def code_lines(code):
    code = code.replace("/**<", "/*")
    return [".nf", *[roff(line.expandtabs(8)) for line in code.split("\n")], ".fi"]


def used(item, items):
    """Documented types and macros that an item speaks of, and those that these speak of."""
    found, queue = [], [item]
    while queue:
        text = queue.pop(0).text()
        words = set(re.findall(r"\w+", text))
        prefixes = tuple(re.findall(r"\b([A-Z]+_[A-Z]+_)\*", text))
        for other in items:
            if other.kind == "function" or other in found or other is item:
                continue
            if words.intersection(other.names) or (prefixes and other.name.startswith(prefixes)):
                found.append(other)
                queue.append(other)
    return sorted(found, key=items.index)


def page(item, items, header, library, version):
    arguments, paragraphs, returns = body(item)
    out = ['.\\" SPDX-License-Identifier: MIT',
           '.TH %s 3 "" "%s %s" "Library Functions"' % (item.name, library, version),
           ".SH NAME", "%s \\- %s" % (item.name, roff(item.summary.rstrip("."))),
           ".SH SYNOPSIS", "\\fB#include <%s>\\fP" % header, ".PP", *code_lines(item.code)]
    if arguments:
        out.append(".SH ARGUMENTS")
    for name, lines in arguments:
        out += [".TP", "\\fI%s\\fP" % name, *lines_of(lines)]
    out.append(".SH DESCRIPTION")
    if not paragraphs:
        out.append(sentence(item.summary))
    for lines in paragraphs:
        out += [".PP", *lines_of(lines)]
    if returns:
        out += [".SH RETURN VALUE", *lines_of(returns)]
    others = used(item, items)
    if others:
        out.append(".SH TYPES AND CONSTANTS")
    for other in others:
        out += [".PP", *code_lines(other.code)]
        members, paragraphs, _ = body(other)
        if [other.summary] not in [lines[:1] for lines in paragraphs]:
            out += [".PP", sentence(other.summary)]
        for lines in paragraphs:
            out += [".PP", *lines_of(lines)]
        for name, lines in members:
            out += [".TP", "\\fI%s\\fP" % name, *lines_of(lines)]
    out += [".SH SEE ALSO", "\\fB%s\\fP(3)" % library]
    return "\n".join(out) + "\n"


def overview(items):
    """The functions by topic, for scdoc."""
    topics = {}
    for item in items:
        if item.kind == "function":
            topics.setdefault(item.topic, []).append(item)
    out = []
    for topic, functions in topics.items():
        out += ["## " + topic.capitalize(), ""]
        for item in functions:
            summary = re.sub(r"([\\*_#<>])", r"\\\1", item.summary.rstrip(".").replace("@", ""))
            out += ["*%s*(3)" % item.name, "\t" + summary, ""]
    return "\n".join(out).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("header", help="NAME.h of libNAME")
    parser.add_argument("--version", default="")
    parser.add_argument("--overview", metavar="TEMPLATE",
                        help="print TEMPLATE with the functions in place of @FUNCTIONS@")
    parser.add_argument("--directory", default=".")
    parser.add_argument("functions", nargs="*", help="functions to write pages of")
    args = parser.parse_intermixed_args()
    with open(args.header) as file:
        items = parse(file.read())
    if args.overview:
        with open(args.overview) as file:
            sys.stdout.write(file.read().replace("@FUNCTIONS@", overview(items)))
    header = os.path.basename(args.header)
    functions = {item.name: item for item in items if item.kind == "function"}
    for name in args.functions:
        if name not in functions:
            sys.exit("%s: no comment and declaration of %s" % (args.header, name))
        with open(os.path.join(args.directory, name + ".3"), "w") as file:
            file.write(page(functions[name], items, header, "lib" + header[:-2], args.version))


if __name__ == "__main__":
    main()
