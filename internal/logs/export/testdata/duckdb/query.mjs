// Answers the queries that it is given, one an argument, each with a line of JSON.
import { DuckDBInstance } from '@duckdb/node-api';

const connection = await (await DuckDBInstance.create(':memory:')).connect();
for (const query of process.argv.slice(2)) {
  const answer = await connection.runAndReadAll(query);
  console.log(JSON.stringify(answer.getRowObjectsJson()));
}
