/** What a tool prints, made fit to be shown to people: pure. */

/** Control sequences, whole or cut off: CSI, then strings (OSC, DCS, SOS, PM, APC), then all others. @source ECMA-48 */
// oxlint-disable-next-line no-control-regex
const sequences = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])?/g

// oxlint-disable-next-line no-control-regex
const colour = /^\u001b\[[0-9;:]*m$/

/** C0 without tab and escape, DEL, C1. */
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000a-\u001a\u001c-\u001f\u007f-\u009f]/g

/** One line of which a terminal shows the text and the colours, and on which it does nothing else. */
export const logText = (text: string): string =>
  text.replaceAll(sequences, (sequence) => (colour.test(sequence) ? sequence : "")).replaceAll(controls, "")

/** `logText` without colours, for what is shown elsewhere than in a log. */
export const plainText = (text: string): string => text.replaceAll(sequences, "").replaceAll(controls, "")
