// Calls by the AWS SDK for JavaScript. Each file of calls exports a function that
// is given call(name, promise or function) and fails(name, code, function).
import { readdirSync } from 'node:fs';

const say = (name, error) => console.log(JSON.stringify({ name, error }));

// call makes a call; check, if given, throws when the answer is not right.
async function call(name, make, check) {
  try {
    const out = await make();
    if (check) check(out);
    say(name);
    return out;
  } catch (e) {
    say(name, `${e.name}: ${e.message}`);
    return {};
  }
}

// fails makes a call that has to fail with an error of this name.
async function fails(name, code, make) {
  try {
    await make();
    say(name, `it succeeded, want ${code}`);
  } catch (e) {
    say(name, e.name === code ? undefined : `failed with ${e.name}: ${e.message}, want ${code}`);
  }
}

function same(got, want, what = 'answer') {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what} ${a}, want ${b}`);
}

for (const file of readdirSync('calls').sort()) {
  const { default: run } = await import(`./calls/${file}`);
  await run({ call, fails, same });
}
