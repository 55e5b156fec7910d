import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { logText, plainText } from "@starform/starbase/builds/LogText"

/** Texts made of what control sequences are made of. */
const output = fc
  .array(
    fc.constantFrom(
      "\u001b",
      "[",
      "]",
      "\\",
      "31",
      ";",
      "m",
      "J",
      "c",
      "\u0007",
      "\u0000",
      "\u009b",
      "\t",
      "a"
    )
  )
  .map((parts) => parts.join(""))

describe("LogText", () => {
  it("keeps colours and tabs", () => {
    assert.strictEqual(logText("\u001b[1;31mred\u001b[0m\tplain"), "\u001b[1;31mred\u001b[0m\tplain")
  })

  it.each([
    ["a cleared screen", "a\u001b[2Jb"],
    ["a moved cursor", "a\u001b[10;10Hb"],
    ["a window title", "a\u001b]0;title\u0007b"],
    ["a hyperlink's frame", "a\u001b]8;;https://app.example\u001b\\b"],
    ["a terminal reset", "a\u001bcb"],
    ["an eight-bit sequence's start", "a\u009bb"],
    ["a bell and a backspace", "a\u0007\bb"]
  ])("drops %s", (_, text) => {
    assert.strictEqual(logText(text), "ab")
  })

  it("leaves no escape but that of a colour", () => {
    fc.assert(
      fc.property(output, (text) => {
        // oxlint-disable-next-line no-control-regex
        assert.match(logText(text), /^(?:[^\u0000-\u0008\u000a-\u001f\u007f-\u009f]|\u001b\[[0-9;:]*m)*$/)
      })
    )
  })

  it("changes nothing when it is applied again", () => {
    fc.assert(fc.property(output, (text) => assert.strictEqual(logText(logText(text)), logText(text))))
  })

  it("is plain without its colours", () => {
    fc.assert(
      fc.property(output, (text) => {
        // oxlint-disable-next-line no-control-regex
        assert.strictEqual(plainText(text), logText(text).replaceAll(/\u001b\[[0-9;:]*m/g, ""))
      })
    )
  })
})
