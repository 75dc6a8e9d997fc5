const { appendFileSync } = require('fs')

exports.handler = async (event) => {
  appendFileSync(event.file, event.id + '\n')
  switch (event.kind) {
    case 'fail':
      throw new Error('refused ' + event.id)
    case 'exit':
      process.exit(3)
    case 'sleep':
      await new Promise((resolve) => setTimeout(resolve, event.n))
      break
    case 'big':
      return { id: event.id, fill: 'x'.repeat(event.n) }
  }
  return { id: event.id }
}
