import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** The text is not `host:port` or `:port`. */
export class AddressUnreadable extends Schema.TaggedError<AddressUnreadable>()("AddressUnreadable", {
  text: Schema.String
}) {
  override get message() {
    return `"${this.text}" is not host:port or :port`
  }
}

const pattern = /^(?<host>[A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\]):(?<port>[0-9]{1,5})$/

/** `:8080` listens on every address, as the same text does in other agents. */
export const listenAddress = (
  text: string
): Result.Result<{ readonly host: string; readonly port: number }, AddressUnreadable> => {
  const groups = pattern.exec(text)?.groups
  const port = Number(groups?.["port"] ?? Number.NaN)
  if (!Number.isInteger(port) || port > 65_535) return Result.fail(new AddressUnreadable({ text }))
  const host = (groups?.["host"] ?? "").replace(/^\[|\]$/g, "")
  return Result.succeed({ host: host === "" ? "0.0.0.0" : host, port })
}
