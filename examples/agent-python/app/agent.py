"""A small agent behind HTTP, on nothing but Python's standard library.

POST /v1/tasks {"task": "..."}    plan, run the steps, return them with the result
POST /v1/chat/completions         the same as an OpenAI-compatible chat, also streaming
GET  /v1/models, /healthz, /readyz

It listens on $HOST:$PORT (default 127.0.0.1:8080). On SIGTERM it takes no new
connections, ends the requests in flight, and exits with status 0.
"""

import sys

sys.dont_write_bytecode = True  # the files of a release are read-only

import http.server
import json
import os
import re
import secrets
import signal
import socketserver
import threading
import time

import runner

MODEL = "agent"
MAX_BODY = 64 * 1024
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h


def log(message, **fields):
    """Writes one JSON line to standard error."""
    line = {"time": time.time(), "msg": message, **fields}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


class BadRequest(Exception):
    """The client's fault: an HTTP status, a code, and what is wrong."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


def count_tokens(text):
    return len(text.split())


def read_task(request, limit):
    """Returns the task of a POST /v1/tasks, or of the last message of a chat."""
    if not isinstance(request, dict):
        raise BadRequest(400, "invalid_request", "the body is not an object")
    task = request.get("task")
    if "messages" in request:
        if request.get("model") != MODEL:
            raise BadRequest(404, "model_not_found", "the model is %r" % MODEL)
        messages = request["messages"] if isinstance(request["messages"], list) else []
        said = [m.get("content") for m in messages if isinstance(m, dict) and m.get("role") == "user"]
        task = said[-1] if said else None
    if not isinstance(task, str) or not task.strip() or len(task) > limit:
        raise BadRequest(400, "invalid_task", "the task is a text of 1 to %d characters" % limit)
    return task


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Counts the requests in flight, so that it can end when there are none."""

    daemon_threads = True  # idle connections do not keep the process alive
    request_queue_size = 128

    def __init__(self, address, agent):
        self.agent = agent
        self.draining = False
        self.in_flight = 0
        self.changed = threading.Condition()
        super().__init__(address, Handler)

    def server_bind(self):
        # HTTPServer would look its own name up, which can hang without a network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def count(self, change):
        with self.changed:
            self.in_flight += change
            self.changed.notify_all()

    def drain(self, seconds):
        """Takes no new connections; reports whether all requests ended in time."""
        self.draining = True
        self.shutdown()
        self.socket.close()
        with self.changed:
            return self.changed.wait_for(lambda: self.in_flight == 0, seconds)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "agent"
    sys_version = ""
    timeout = 90  # seconds that a connection may be idle
    wbufsize = -1  # an answer leaves in one piece, when it is flushed
    disable_nagle_algorithm = True  # TCP_NODELAY

    def log_message(self, format, *args):
        """No access log: the gateway counts requests."""

    def handle_one_request(self):
        self.begun = False
        try:
            super().handle_one_request()
        finally:
            if self.begun:
                self.server.count(-1)

    def parse_request(self):
        self.begun = True  # from its first line on, before anything is answered
        self.server.count(+1)
        return super().parse_request()

    def handle_expect_100(self):
        going_on = super().handle_expect_100()
        self.wfile.flush()  # the client waits for it before it sends the body
        return going_on

    def do_GET(self):
        self.answer({"/healthz": self.get_ok, "/readyz": self.get_ok, "/v1/models": self.get_models})

    def do_POST(self):
        self.answer({"/v1/tasks": self.post_task, "/v1/chat/completions": self.post_chat})

    def answer(self, routes):
        self.run = self.headers.get("Fairlead-Run", "")
        if not re.fullmatch(r"[\x21-\x7e]{1,128}", self.run):
            self.run = "run-" + secrets.token_hex(8)
        self.report = None
        try:
            routes.get(self.path.partition("?")[0], self.get_unknown)()
            self.wfile.flush()
        except BadRequest as error:
            self.close_connection = True  # the body may not have been read
            self.send_problem(error.status, "invalid_request_error", error.code, str(error))
        except OSError:
            self.close_connection = True  # the client is gone
        except Exception as error:
            self.close_connection = True
            log("request failed", run=self.run, path=self.path, error=repr(error))
            self.send_problem(500, "server_error", "task_failed", "the task could not be run")

    def get_ok(self):
        self.send_body(200, "text/plain", b"ok\n")

    def get_models(self):
        self.send_json(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "examples"}]})

    def get_unknown(self):
        raise BadRequest(404, "not_found", "there is no such endpoint")

    def post_task(self):
        task = read_task(self.read_json(), self.server.agent.config["maxTask"])
        self.send_json(200, {"run": self.run, "task": task, **self.run_task(task)})

    def post_chat(self):
        request = self.read_json()
        task = read_task(request, self.server.agent.config["maxTask"])
        result = self.run_task(task)["result"]
        answer = {"id": "chatcmpl-" + secrets.token_hex(8), "created": int(time.time()), "model": MODEL}
        if request.get("stream"):
            self.send_stream(answer, result)
            return
        prompt, completion = count_tokens(task), count_tokens(result)
        answer["object"] = "chat.completion"
        answer["choices"] = [{"index": 0, "message": {"role": "assistant", "content": result}, "finish_reason": "stop"}]
        answer["usage"] = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        self.send_json(200, answer)

    def run_task(self, task):
        outcome = self.server.agent.run(task)
        self.report = "task-success=%d, steps=%d" % (outcome["success"], len(outcome["steps"]))
        if not outcome["success"]:
            log("task failed", run=self.run, steps=len(outcome["steps"]))
        return outcome

    def read_json(self):
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length) or "Transfer-Encoding" in self.headers:
            raise BadRequest(411, "length_required", "send a Content-Length")
        if int(length) > MAX_BODY:
            raise BadRequest(413, "request_too_large", "at most %d bytes" % MAX_BODY)
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise BadRequest(400, "invalid_json", "the body is not JSON: %s" % error)

    def send_head(self, status, kind, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Fairlead-Run", self.run)
        if self.report:
            self.send_header("Fairlead-Signal", self.report)  # for Fairlead's judge; clients do not see it
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.server.draining or self.close_connection:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def send_body(self, status, kind, body):
        self.send_head(status, kind, Content_Length=str(len(body)))
        self.wfile.write(body)
        self.wfile.flush()

    def send_json(self, status, value):
        self.send_body(status, "application/json", json.dumps(value).encode() + b"\n")

    def send_problem(self, status, kind, code, message):
        try:
            self.send_json(status, {"error": {"message": message, "type": kind, "code": code}})
        except OSError:
            pass  # the client is gone

    def send_stream(self, answer, result):
        """Sends server-sent events, a word at a time, each at once."""
        self.send_head(200, "text/event-stream", Cache_Control="no-cache", Transfer_Encoding="chunked")
        deltas = [{"role": "assistant"}]
        deltas += [{"content": word} for word in re.findall(r"\S*\s*", result) if word]
        answer["object"] = "chat.completion.chunk"
        for delta in deltas + [{}]:
            reason = None if delta else "stop"
            answer["choices"] = [{"index": 0, "delta": delta, "finish_reason": reason}]
            self.send_chunk("data: %s\n\n" % json.dumps(answer))
        self.send_chunk("data: [DONE]\n\n")
        self.send_chunk("")  # ends a chunked body

    def send_chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


def main():
    # Blocked in all threads and waited for below: a handler that sets an Event can
    # deadlock with the thread that waits for it.
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    try:
        config = runner.load_config("config/agent.json")
    except (OSError, ValueError) as error:
        log("bad configuration", error=str(error))
        return EXIT_CONFIG
    agent = runner.Runner(config)  # ready: it listens only when all is loaded
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    server = Server(address, agent)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    log("serving", address="%s:%d" % server.server_address[:2], release=os.environ.get("FAIRLEAD_RELEASE", ""))
    signal.sigwait(stops)
    drained = server.drain(config["drainSeconds"])
    log("drained" if drained else "requests were cut off", in_flight=server.in_flight)
    return 0 if drained else 1


if __name__ == "__main__":
    sys.exit(main())
