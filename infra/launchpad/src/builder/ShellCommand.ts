/** A command as a person writes it, as argv. */

/** Words that a shell does not run as a program of their own, so that `exec` before them is wrong. */
const shellWords = new Set([
  "if",
  "for",
  "while",
  "until",
  "case",
  "{",
  "!",
  "[",
  "[[",
  "test",
  "cd",
  "export",
  "set",
  "unset",
  ".",
  "source",
  "eval",
  "exec",
  "trap",
  "ulimit",
  "umask",
  "exit",
  "return",
  "wait",
  "read",
  "alias",
  "function",
  "command",
  "true",
  "false",
  ":",
  "echo",
  "printf",
  "local",
  "readonly",
  "shift",
  "times",
  "type"
])

/** What the shell does not look for operators in. */
const quoted = /\\[^]|'[^']*'|"(?:\\[^]|[^"\\])*"/g

/** `2>&1` and the like. */
const joinedOutputs = /\d*[<>]&[\d-]/g

/**
 * Run by `/bin/sh`. A single command replaces the shell, so that signals reach the app itself; a list of commands, or
 * what only a shell can do, stays below it.
 */
export const shellCommand = (text: string): ReadonlyArray<string> => {
  const command = text.trim()
  const [first = ""] = command.split(/\s/, 1)
  const bare = command.replaceAll(quoted, "").replaceAll(joinedOutputs, "")
  const isList = /[;&|()`\n]/.test(bare)
  if (isList || shellWords.has(first)) return ["/bin/sh", "-c", command]
  const assigns = /^[A-Za-z_][A-Za-z0-9_]*=/.test(first)
  return ["/bin/sh", "-c", `exec ${assigns ? "env " : ""}${command}`]
}
