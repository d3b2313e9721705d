// Exact arithmetic, against values that were worked out otherwise.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedForms, NotComputable, compare, floor, parsed, power, rational } from "../src/exact";

test("rational numbers are in lowest terms, with a positive divisor", () => {
  assert.deepEqual(rational(6n, -4n), { n: -3n, d: 2n });
  assert.throws(() => rational(1n, 0n), NotComputable);
});

test("numbers are read exactly", () => {
  assert.equal(parsed("123456789012345678901234567890").n, 123456789012345678901234567890n);
  assert.deepEqual(parsed("1/2"), { n: 1n, d: 2n });
});

test("floors go down, also below zero", () => {
  assert.equal(floor(rational(-7n, 2n)), -4n);
  assert.equal(floor(rational(7n, 2n)), 3n);
});

test("powers have a limit", () => {
  assert.equal(power(rational(2n), 100n).n, 2n ** 100n);
  assert.throws(() => power(rational(2n), 10n ** 9n), NotComputable);
});

test("order is that of the numbers", () => {
  assert.equal(compare(rational(1n, 3n), rational(3n, 10n)), 1);
  assert.equal(compare(rational(-1n, 3n), rational(-1n, 3n)), 0);
});

test("closed forms follow their symbols", () => {
  // 3*H**2 + (H - 1)//2 + 1/2
  const forms = new ClosedForms(
    [[[1, 0, 1], [-1]], [[2]], [[3, 0, 2], [1, 1, 1], ["1/2"]]],
    [["symbol", "H"], ["floor", 0, 1]],
  );
  forms.set(new Map([["H", 8n]]));
  assert.deepEqual(forms.value(2), { n: 391n, d: 2n }); // 192 + 3 + 1/2
  forms.set(new Map([["H", 10n ** 20n]]));
  assert.deepEqual(forms.value(2), rational(2n * (3n * 10n ** 40n + (10n ** 20n - 1n) / 2n) + 1n, 2n));
});
