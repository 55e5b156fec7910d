import { assert, describe, it } from "@effect/vitest"

interface Place {
  readonly checkout: string
  readonly script: string
  readonly folder: string
}

const { calledAs } = (await import(new URL("../../../scripts/calledAs.mjs", import.meta.url).href)) as {
  readonly calledAs: (environment: Readonly<Record<string, string>>, place: Place) => string
}

const place: Place = {
  checkout: "/srv/star form",
  script: "/srv/star form/scripts/starform.mjs",
  folder: "/srv"
}
const npm = { npm_lifecycle_event: "starform", npm_config_user_agent: "npm/11.0.0 node/v24" }
const pnpm = { npm_lifecycle_event: "starform", npm_config_user_agent: "pnpm/12.0.0 npm/? node/v24" }

describe("calledAs", () => {
  for (const [words, environment] of [
    ["npm run starform --", { ...npm, INIT_CWD: "/srv/star form" }],
    ["npm --prefix '/srv/star form' run starform --", { ...npm, INIT_CWD: "/srv/app" }],
    ["pnpm starform", { ...pnpm, INIT_CWD: "/srv/star form" }],
    ["pnpm --dir '/srv/star form' starform", { ...pnpm, INIT_CWD: "/srv/app" }],
    ["node 'star form/scripts/starform.mjs'", { npm_lifecycle_event: "test" }]
  ] as const) {
    it(`is ${words}`, () => assert.strictEqual(calledAs(environment, place), words))
  }
})
