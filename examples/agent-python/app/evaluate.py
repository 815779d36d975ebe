"""Runs the tasks of eval/tasks.json and exits with status 1 if one is not as expected.

It is the gate of fairlead.yaml: it runs against the exact release.
"""

import sys

sys.dont_write_bytecode = True  # the files of a release are read-only

import json
import pathlib

import runner


def main():
    agent = runner.Runner(runner.load_config("config/agent.json"))
    cases = json.loads(pathlib.Path("eval/tasks.json").read_text(encoding="utf-8"))
    wrong = 0
    for case in cases:
        outcome = agent.run(case["task"])
        right = outcome["success"] == case["success"] and case["holds"] in outcome["result"]
        wrong += not right
        print("ok   " if right else "WRONG", case["task"])
    print("%d of %d tasks are right" % (len(cases) - wrong, len(cases)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
