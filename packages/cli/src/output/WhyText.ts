/** What `starform why` prints: the verdict, how far the newest deploy came, and what holds it. Pure. */
import type { Explanation, JourneyStep, Verdict } from "@starform/domain/protocol/Explanation"
import type { Paint } from "./Paint.ts"
import { ago } from "./Times.ts"

const markOf = (paint: Paint, verdict: Verdict): string => {
  switch (verdict) {
    case "live":
      return paint.green("●")
    case "underway":
    case "degraded":
      return paint.yellow("●")
    case "stuck":
    case "failed":
      return paint.red("●")
    case "idle":
    case "empty":
      return paint.dim("○")
  }
}

const stepMark = (paint: Paint, state: JourneyStep["state"]): string => {
  switch (state) {
    case "done":
      return paint.green("✓")
    case "now":
      return paint.yellow("●")
    case "stopped":
      return paint.red("✗")
    case "ahead":
    case "skipped":
      return paint.dim("·")
  }
}

const stepLine = (paint: Paint, { step, state, atMs, note }: JourneyStep, nowMs: number): string => {
  const words = [atMs === null ? "" : ago(atMs, nowMs), note].filter((word) => word !== "").join(", ")
  return `  ${stepMark(paint, state)} ${step.padEnd(9)} ${paint.dim(words)}`.trimEnd()
}

/** @param name as a person names the app */
export const whyLines = (paint: Paint, name: string, explanation: Explanation): ReadonlyArray<string> => {
  const { verdict, headline, journey, findings, atMs } = explanation
  const steps = verdict === "live" ? [] : journey.filter(({ state }) => state !== "skipped")
  return [
    `${markOf(paint, verdict)} ${paint.bold(name)}: ${headline}`,
    ...(steps.length === 0 ? [] : ["", ...steps.map((step) => stepLine(paint, step, atMs))]),
    ...findings.flatMap(({ holds, line, code, next }) => [
      "",
      `  ${holds ? paint.red("✗") : paint.dim("·")} ${line} ${paint.dim(`(${code})`)}`,
      ...(next === "" ? [] : [`    ${paint.dim("Next")}  ${next}`])
    ])
  ]
}
