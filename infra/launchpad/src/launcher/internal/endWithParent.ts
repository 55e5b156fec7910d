/** Preloaded into children of the launcher: the end of standard input is the launcher's end, and a request to end. */
process.stdin.once("end", () => process.kill(process.pid, "SIGTERM"))
process.stdin.once("error", () => process.kill(process.pid, "SIGTERM"))
process.stdin.resume()
if ("unref" in process.stdin) process.stdin.unref()
