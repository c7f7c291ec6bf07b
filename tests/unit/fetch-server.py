# SPDX-License-Identifier: Apache-2.0
"""A web server that sends FOLDER/disk.img well or badly, as the path asks, and logs each request to FOLDER/log. It writes its port to
FOLDER/port."""
import http.server
import os
import sys
import time

folder = sys.argv[1]
with open(os.path.join(folder, "disk.img"), "rb") as file:
    image = file.read()
PIECE = 64 * 1024


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_image(self, kind):
        wanted = self.headers.get("Range")
        begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and kind != "norange" else 0
        if begin >= len(image):
            return self.answer(416)
        body = image[begin:]
        headers = {} if kind == "endless" else {"Content_Length": str(len(body))}
        if begin:
            headers["Content_Range"] = f"bytes {begin}-{len(image) - 1}/{len(image)}"
        if kind == "cut" and not begin:
            body = body[: len(body) // 2]
        if kind != "slow":
            return self.answer(206 if begin else 200, body, **headers)
        self.answer(200, **headers)
        for at in range(0, len(body), PIECE):
            self.wfile.write(body[at : at + PIECE])
            time.sleep(0.05)

    def do_GET(self):
        with open(os.path.join(folder, "log"), "a", encoding="utf-8") as log:
            log.write(f"{self.path} {self.headers.get('Range', 'whole')}\n")
        kind = self.path.split("?")[0].split("/")[1]
        try:
            if kind == "away":
                self.answer(404)
            elif kind == "page":
                self.answer(200, b"<!DOCTYPE html><html>Please log in</html>")
            elif kind == "moved":
                self.answer(302, Location="/good/disk.img")
            elif kind == "stolen":
                self.answer(302, Location="file:///etc/passwd")
            else:
                self.send_image(kind)
        except (BrokenPipeError, ConnectionResetError):
            pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(os.path.join(folder, "port.new"), "w", encoding="utf-8") as port:
    port.write(str(server.server_port))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
