// The proc-receive hook: git's refs to Starform's socket, Starform's lines to the person, its verdicts back to git.
// Protocol: gitformat of `githooks(5)`, proc-receive, version 1, in pkt-lines. Nothing is decided here.
import { connect } from "node:net"

let input = Buffer.alloc(0)
let ended = false
const waiting = []

process.stdin.on("data", (chunk) => {
  input = Buffer.concat([input, chunk])
  wake()
})
process.stdin.on("end", () => {
  ended = true
  wake()
})

function wake() {
  for (const resume of waiting.splice(0)) resume()
}

async function bytes(count) {
  while (input.length < count) {
    if (ended) throw new Error("git ended its request early")
    await new Promise((resume) => waiting.push(resume))
  }
  const taken = input.subarray(0, count)
  input = input.subarray(count)
  return taken
}

/** One pkt-line; null is a flush. */
async function packet() {
  const length = Number.parseInt((await bytes(4)).toString("ascii"), 16)
  if (length === 0) return null
  return (await bytes(length - 4)).toString("utf8").replace(/\n$/, "")
}

async function packets() {
  const lines = []
  for (let line = await packet(); line !== null; line = await packet()) lines.push(line)
  return lines
}

function write(...lines) {
  const text = lines.map((line) => {
    const body = Buffer.from(`${line}\n`)
    return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, "0")), body])
  })
  process.stdout.write(Buffer.concat([...text, Buffer.from("0000")]))
}

const [greeting = ""] = await packets()
const features = greeting.split("\0")[1]?.split(" ") ?? []
write("version=1\0push-options")
const commands = (await packets()).map((line) => {
  const [before, after, ...ref] = line.split(" ")
  return { before, after, ref: ref.join(" ") }
})
const options = features.includes("push-options") ? await packets() : []

const socket = connect(process.env.STARFORM_HOOK_SOCKET)
let text = ""
const verdicts = await new Promise((resolve) => {
  socket.on("connect", () => {
    const token = process.env.STARFORM_PUSH_TOKEN
    socket.write(`${JSON.stringify({ token, commands, options })}\n`)
  })
  socket.on("data", (chunk) => {
    text += chunk.toString("utf8")
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
      const message = JSON.parse(text.slice(0, end))
      text = text.slice(end + 1)
      if (message.print !== undefined) process.stderr.write(`${message.print}\n`)
      if (message.verdicts !== undefined) resolve(message.verdicts)
    }
  })
  const lost = () => resolve(null)
  socket.on("error", lost)
  socket.on("close", lost)
})
socket.destroy()

const answers =
  verdicts === null
    ? commands.map(({ ref }) => `ng ${ref} Starform went away; an accepted push goes on without you`)
    : verdicts.map(({ ref, reason }) => (reason === null ? `ok ${ref}` : `ng ${ref} ${reason}`))
write(...answers)
process.stdin.destroy()
