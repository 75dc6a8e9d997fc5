// Calls by the AWS SDK for JavaScript. Each file of calls, named for its service,
// exports a function that is given a bench: what makes a call and says what came
// of it.
import { readdirSync } from 'node:fs';

// benchOf is what the calls of a service are made with.
function benchOf(service) {
  const say = (name, error, wantsError = false) => console.log(JSON.stringify({ service, name, error, wantsError }));
  return {
    // call makes a call; check, if given, throws when the answer is not right.
    async call(name, make, check) {
      try {
        const out = await make();
        if (check) check(out);
        say(name);
        return out;
      } catch (e) {
        say(name, `${e.name}: ${e.message}`);
        return {};
      }
    },
    // fails makes a call that has to fail with an error of exactly this name.
    async fails(name, code, make) {
      try {
        await make();
        say(name, `it succeeded, want ${code}`, true);
      } catch (e) {
        say(name, e.name === code ? undefined : `failed with ${e.name}: ${e.message}, want ${code}`, true);
      }
    },
    same,
    until,
  };
}

function same(got, want, what = 'answer') {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what} ${a}, want ${b}`);
}

// until asks until the answer is something, for what happens after a call.
async function until(make) {
  const deadline = Date.now() + 30e3;
  while (Date.now() < deadline) {
    const found = await make();
    if (found) return found;
    await new Promise((resume) => setTimeout(resume, 100));
  }
  throw new Error('it did not happen within 30 s');
}

for (const file of readdirSync('calls').sort()) {
  const { default: run } = await import(`./calls/${file}`);
  await run(benchOf(file.replace('.mjs', '')));
}
