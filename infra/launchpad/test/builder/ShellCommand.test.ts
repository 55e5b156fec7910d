import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { shellCommand } from "@starform/launchpad/builder/ShellCommand"

const run = (text: string): string => {
  const [file = "", ...rest] = shellCommand(text)
  return execFileSync(file, rest, { encoding: "utf8", env: { PATH: "/usr/bin:/bin", GREETING: "hello" } })
}

const word = fc.stringMatching(/^[a-z0-9/._-]{1,8}$/)

describe("shellCommand", () => {
  it.each([
    ["node server.js", "exec node server.js"],
    ["  node server.js\n", "exec node server.js"],
    ["PORT=1 node x", "exec env PORT=1 node x"],
    ["node a && node b", "node a && node b"],
    ["node a | tee log", "node a | tee log"],
    ["(node a)", "(node a)"],
    [`node -e 'a; b' "c | d" 2>&1`, `exec node -e 'a; b' "c | d" 2>&1`],
    ["node 'a' ; node 'b'", "node 'a' ; node 'b'"],
    ["node $(cat name)", "node $(cat name)"],
    ["cd api", "cd api"],
    ["exec node x", "exec node x"]
  ])("runs %j as %j", (text, command) => {
    assert.deepStrictEqual(shellCommand(text), ["/bin/sh", "-c", command])
  })

  it("runs what the same text does in a shell", () => {
    for (const text of [
      "printf '%s' \"$GREETING\"",
      "GREETING=bye /usr/bin/printenv GREETING",
      "if true; then echo yes; fi",
      "cd / && pwd",
      `/bin/echo 'a;b' "c & d" e\\;f`,
      '/bin/echo "$(echo in)" 2>&1'
    ]) {
      const plain = execFileSync("/bin/sh", ["-c", text], {
        encoding: "utf8",
        env: { PATH: "/usr/bin:/bin", GREETING: "hello" },
        stdio: ["ignore", "pipe", "ignore"]
      })
      assert.strictEqual(run(text), plain, text)
    }
  })

  it("replaces the shell by a single program, so that a signal reaches it", () => {
    const parent = run("/bin/sh -c 'echo $PPID; :'").trim()
    assert.strictEqual(parent, `${process.pid}`)
  })

  it("is one argument to a shell, whatever the words", () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        const [shell, option, text, ...rest] = shellCommand(words.join(" "))
        assert.deepStrictEqual([shell, option, rest], ["/bin/sh", "-c", []])
        assert.isTrue(text?.endsWith(words.join(" ")))
      })
    )
  })
})
