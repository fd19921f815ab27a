"""Receives OTLP over HTTP or gRPC, and prints what came: one JSON object a line.

The first line says the port: {"port": 4318}. Each further line is an export: {"signal": "metrics" | "traces" | "logs",
"headers": {name: value}, "export": {…}}, where "export" is the request as OTLP's JSON shows it.
"""

import argparse
import json
import sys
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

SIGNALS = {
    "metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "logs": (ExportLogsServiceRequest, ExportLogsServiceResponse),
}
SERVICES = {
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}

printing = threading.Lock()


def say(value):
    with printing:
        print(json.dumps(value), flush=True)


def received(signal, headers, request, delay):
    time.sleep(delay)
    headers = {name.lower(): value for name, value in headers if isinstance(value, str)}
    say({"signal": signal, "headers": headers, "export": MessageToDict(request)})


def serve_http(port, delay):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            signal = self.path.removeprefix("/v1/")
            if self.headers["content-type"] != "application/x-protobuf" or signal not in SIGNALS:
                self.send_error(400)
                return
            kind, answer = SIGNALS[signal]
            received(signal, self.headers.items(), kind.FromString(body), delay)
            body = answer().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    say({"port": server.server_port})
    server.serve_forever()


def serve_grpc(port, delay):
    import grpc

    server = grpc.server(futures.ThreadPoolExecutor(4))
    for signal, (kind, answer) in SIGNALS.items():

        def export(request, context, signal=signal, answer=answer):
            received(signal, context.invocation_metadata(), request, delay)
            return answer()

        method = grpc.unary_unary_rpc_method_handler(
            export, request_deserializer=kind.FromString, response_serializer=answer.SerializeToString
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICES[signal], {"Export": method}),))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    say({"port": port})
    server.wait_for_termination()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grpc", action="store_true", help="gRPC instead of HTTP")
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 for any port")
    parser.add_argument("--delay", type=float, default=0, help="seconds before each answer")
    arguments = parser.parse_args()
    (serve_grpc if arguments.grpc else serve_http)(arguments.port, arguments.delay)


if __name__ == "__main__":
    sys.exit(main())
