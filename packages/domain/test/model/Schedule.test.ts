import { assert, describe, it } from "@effect/vitest"
import { type Autoscaling, contradiction } from "@starform/domain/model/Autoscaling"
import { CronExpression, TimeZoneName } from "@starform/domain/model/Schedule"
import { Schema } from "effect"

const isExpression = Schema.is(CronExpression)
const isZone = Schema.is(TimeZoneName)

describe("CronExpression", () => {
  it.each([
    "*/5 * * * *",
    "0 3 * * MON-FRI",
    "0,30 8-17/2 1 jan,feb ?",
    "59 23 31 12 0",
    "@daily",
    "0 0 ? * sun"
  ])("takes %s", (text) => assert.isTrue(isExpression(text)))

  it.each([
    "",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 7",
    "*/0 * * * *",
    "5-1 * * * *",
    "1-2-3 * * * *",
    "1/2/3 * * * *",
    "*  * * * *",
    " * * * * *",
    "a * * * *",
    "1, * * * *",
    "@every 1h",
    "@reboot",
    "TZ=UTC * * * * *",
    "CRON_TZ=UTC 0 0 * * *"
  ])("does not take %j", (text) => assert.isFalse(isExpression(text)))
})

describe("TimeZoneName", () => {
  it.each(["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"])("takes %s", (name) =>
    assert.isTrue(isZone(name))
  )
  it.each(["", "Local", "Mars/Olympus", "+02:00", "../etc/passwd"])("does not take %j", (name) =>
    assert.isFalse(isZone(name))
  )
})

describe("contradiction", () => {
  const scaling: Autoscaling = { minReplicas: 2, maxReplicas: 4, cpuPercent: 70, memoryPercent: null }
  it("finds none in numbers that can be", () => assert.isUndefined(contradiction(scaling)))
  it("finds more at least than at most, and a scaling on nothing", () => {
    assert.isDefined(contradiction({ ...scaling, minReplicas: 5 }))
    assert.isDefined(contradiction({ ...scaling, cpuPercent: null }))
  })
})
