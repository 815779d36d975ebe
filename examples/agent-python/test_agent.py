"""Tests of the agent: python3 -m unittest discover examples/agent-python"""

import http.client
import json
import pathlib
import sys
import tempfile
import threading
import unittest

APP = pathlib.Path(__file__).resolve().parent / "app"
sys.dont_write_bytecode = True  # app/ is what is released
sys.path.insert(0, str(APP))

import agent
import runner
import tools


class Calculator(unittest.TestCase):
    def result(self, text, previous=None):
        return tools.calculate(text, previous)[1]

    def test_follows_precedence_and_parentheses(self):
        cases = {"2 + 3 * 4": "14", "(2 + 3) * 4": "20", "-(1 - 3)": "2", "7 % 4": "3", "10 / 4": "2.5", "1 / 3": "0.333333"}
        for text, want in cases.items():
            self.assertEqual(self.result(text), want, text)

    def test_is_exact_in_decimals(self):
        self.assertEqual(self.result("0.1 + 0.2"), "0.3")

    def test_reads_words(self):
        self.assertEqual(self.result("what is 15 percent of 80"), "12")
        self.assertEqual(self.result("6 times 7"), "42")

    def test_uses_the_previous_result(self):
        self.assertEqual(self.result("that * 2", "-4"), "-8")

    def test_refuses_what_is_no_expression(self):
        for text in ["", "hello", "1 / 0", "2 +", "(1", "1 2", "5 % (2 - 2)", "(" * 100 + "1", "9" * 150 + "*" + "9" * 40, "-" * 150 + "1"]:
            with self.assertRaises(tools.ToolError, msg=text):
                self.result(text)

    def test_never_runs_code(self):
        with self.assertRaises(tools.ToolError):
            self.result("__import__('os').getpid()")


class Dates(unittest.TestCase):
    def result(self, text, previous=None):
        return tools.dates(text, previous)[1]

    def test_shift_count_and_weekday(self):
        self.assertEqual(self.result("1 day after 2028-02-28"), "2028-02-29")
        self.assertEqual(self.result("3 weeks before 2026-01-10"), "2025-12-20")
        self.assertEqual(self.result("days between 2026-01-01 and 2026-03-01"), "59")
        self.assertEqual(self.result("weekday of that", "2026-07-14"), "Tuesday")

    def test_refuses_days_that_do_not_exist(self):
        for text in ["1 day after 2026-02-30", "99999 weeks after 9999-01-01", "soon", "1 day after that"]:
            with self.assertRaises(tools.ToolError, msg=text):
                self.result(text)


class Running(unittest.TestCase):
    def setUp(self):
        self.config = runner.load_config(APP / "config/agent.json")
        self.runner = runner.Runner(self.config, APP)

    def test_steps_build_on_one_another(self):
        outcome = self.runner.run("How long can goods be returned? Then 30 days after 2026-05-20, then what weekday is that")
        self.assertTrue(outcome["success"])
        self.assertEqual([step["tool"] for step in outcome["steps"]], ["knowledge", "dates", "dates"])
        self.assertEqual(outcome["steps"][0]["arguments"]["source"], "returns.md")
        self.assertEqual(outcome["steps"][2]["result"], "Friday")

    def test_stops_at_the_first_step_that_fails(self):
        outcome = self.runner.run("1 / 0; 2 + 2")
        self.assertFalse(outcome["success"])
        self.assertEqual([step["ok"] for step in outcome["steps"]], [False])
        self.assertIn("division by zero", outcome["result"])

    def test_refuses_too_many_steps(self):
        outcome = self.runner.run("1 + 1; " * 11)
        self.assertFalse(outcome["success"])
        self.assertEqual(outcome["toolCalls"], 0)

    def test_configuration_is_read_strictly(self):
        for change in [{"maxStep": 3}, {"maxSteps": "3"}, {"maxSteps": 0}, {"knowledge": None}]:
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump({**self.config, **change}, file)
                file.flush()
                with self.assertRaises(ValueError, msg=str(change)):
                    runner.load_config(file.name)


class Serving(unittest.TestCase):
    def setUp(self):
        config = runner.load_config(APP / "config/agent.json")
        self.server = agent.Server(("127.0.0.1", 0), runner.Runner(config, APP))
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.client = http.client.HTTPConnection(*self.server.server_address, timeout=20)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.drain, 20)
        self.addCleanup(self.client.close)

    def post(self, path, body, headers={}):
        data = body if isinstance(body, str) else json.dumps(body)
        self.client.request("POST", path, data, headers)
        response = self.client.getresponse()
        return response, response.read().decode()

    def test_a_task_is_run_under_the_name_of_its_run(self):
        response, body = self.post("/v1/tasks", {"task": "6 * 7"}, {"Fairlead-Run": "run-1"})
        outcome = json.loads(body)
        self.assertEqual((response.status, response.headers["Fairlead-Run"]), (200, "run-1"))
        self.assertEqual((outcome["run"], outcome["success"], outcome["steps"][0]["result"]), ("run-1", True, "42"))

    def test_each_task_reports_how_it_went_and_nothing_else_does(self):
        cases = [("6 * 7; that + 1", "task-success=1, steps=2"), ("1 / 0; 2 + 2", "task-success=0, steps=1")]
        for task, report in cases:
            response, _ = self.post("/v1/tasks", {"task": task})
            self.assertEqual(response.headers["Fairlead-Signal"], report)
        response, _ = self.post("/v2", {})
        self.assertIsNone(response.headers["Fairlead-Signal"])

    def test_a_chat_is_answered_on_the_same_connection(self):
        body = {"model": "agent", "messages": [{"role": "user", "content": "6 * 7"}]}
        for _ in range(2):
            response, text = self.post("/v1/chat/completions", body)
            self.assertEqual(response.status, 200)
            self.assertIn("42", json.loads(text)["choices"][0]["message"]["content"])

    def test_a_stream_ends_with_done(self):
        body = {"model": "agent", "stream": True, "messages": [{"role": "user", "content": "6 * 7"}]}
        response, text = self.post("/v1/chat/completions", body)
        events = [line[6:] for line in text.split("\n") if line]
        chunks = [json.loads(event)["choices"][0] for event in events[:-1]]
        self.assertEqual((response.headers["Content-Type"], events[-1]), ("text/event-stream", "[DONE]"))
        self.assertEqual(chunks[-1]["finish_reason"], "stop")
        self.assertIn("42", "".join(chunk["delta"].get("content", "") for chunk in chunks))

    def test_bad_requests_say_what_is_wrong(self):
        cases = [
            ("/v1/tasks", "{", 400, "invalid_json"),
            ("/v1/tasks", "[" * 50000, 400, "invalid_json"),
            ("/v1/tasks", "[]", 400, "invalid_request"),
            ("/v1/tasks", {"task": 7}, 400, "invalid_task"),
            ("/v1/tasks", {"task": "x" * 70000}, 413, "request_too_large"),
            ("/v1/chat/completions", {"model": "agent", "messages": 3}, 400, "invalid_task"),
            ("/v1/chat/completions", {"model": "other", "messages": []}, 404, "model_not_found"),
            ("/v2", {}, 404, "not_found"),
        ]
        for path, body, status, code in cases:
            response, text = self.post(path, body)
            self.assertEqual((response.status, json.loads(text)["error"]["code"]), (status, code))


if __name__ == "__main__":
    unittest.main()
