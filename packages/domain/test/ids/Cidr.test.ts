import { assert, describe, it } from "@effect/vitest"
import { Cidr } from "@starform/domain/ids/Cidr"
import { Schema } from "effect"

const is = Schema.is(Cidr)

describe("Cidr", () => {
  it.each([
    "0.0.0.0/0",
    "10.1.0.0/16",
    "192.168.7.9/32",
    "::/0",
    "fc00::/7",
    "2001:db8::1/128",
    "::ffff:0:0/96"
  ])("takes %s", (text) => assert.isTrue(is(text)))
  it.each([
    "10.1.0.0",
    "10.1.0.1/16",
    "10.1.0/16",
    "010.1.0.0/16",
    "256.0.0.0/8",
    "10.0.0.0/33",
    "10.0.0.0/8/8",
    "10.0.0.0/08",
    "fc00::1/7",
    "1::2::3/128",
    "1:2:3:4:5:6:7/128",
    "1:2:3:4:5:6:7:8:9/128",
    "::/129",
    "FC00::/7",
    "db.example.com/32",
    ""
  ])("does not take %j", (text) => assert.isFalse(is(text)))
})
