package export_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/export"
	"github.com/dropstack/dropstack/internal/logs/logstest"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/wire"
)

// folder is an object store in a directory.
type folder string

func (f folder) Put(_ context.Context, bucket, key string, r io.Reader, _ int64, _ engine.PutOptions) (engine.Object, error) {
	path := filepath.Join(string(f), bucket, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return engine.Object{}, err
	}
	doc, err := io.ReadAll(r)
	if err != nil {
		return engine.Object{}, err
	}
	return engine.Object{Key: key, Size: int64(len(doc))}, os.WriteFile(path, doc, 0o600)
}

// duckdb answers queries about the files below dir.
func duckdb(t *testing.T, queries ...string) []string {
	t.Helper()
	program := filepath.Join(testkit.NPM(t, "duckdb", "testdata/duckdb"), "query.mjs")
	cmd := exec.CommandContext(t.Context(), "node", append([]string{program}, queries...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("duckdb: %v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestDuckDBReadsIt exports what functions and the edge have logged, and has DuckDB add
// it up.
func TestDuckDBReadsIt(t *testing.T) {
	const n = 3000
	book, dir := &logstest.Book{Size: 700}, t.TempDir()
	start := time.Date(2026, 11, 26, 8, 30, 0, 0, time.UTC)
	var bytes, reports int
	for i := range n {
		at := start.Add(time.Duration(i) * 3 * time.Second) // two hours and a half
		size := 100 + i%977
		bytes += size
		book.Append(logs.Record{
			Time: at, Group: "/aws/cloudfront/E1", Stream: "LOC1", Request: fmt.Sprint("e", i),
			Message: fmt.Sprintf(`{"sc-status":%d,"sc-bytes":%d,"time-taken":%.3f,"cs-uri-stem":"/d/%04d","code":"0%d"}`, 200+i%2*204, size, float64(i%50)/1000, i%7, i%9),
		})
		if i%10 == 0 {
			reports++
			book.Append(logs.Record{Time: at.Add(123456 * time.Microsecond), Group: "/aws/lambda/notes", Stream: "s", Request: fmt.Sprint("r", i), Message: "REPORT it's\n\"quoted\"", Fields: []logs.Field{{Name: logs.FieldType, Value: "REPORT"}, {Name: logs.FieldDuration, Value: "1.50"}}})
			book.Append(logs.Record{Time: at, Group: "/aws/lambda/other", Message: "not asked for"})
		}
	}
	x := &export.Exporter{Records: book, Objects: folder(dir)}
	in := export.Input{Groups: []string{"/aws/cloudfront/E1", "/aws/lambda/notes"}, Start: wire.At(start), End: wire.At(start.Add(24 * time.Hour)), Bucket: "out", Prefix: "logs/"}
	out, err := x.Export(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range out.Files {
		keys = append(keys, f.Key)
	}
	want := []string{
		"logs/aws/cloudfront/E1/2026-11-26-08.parquet", "logs/aws/lambda/notes/2026-11-26-08.parquet",
		"logs/aws/cloudfront/E1/2026-11-26-09.parquet", "logs/aws/lambda/notes/2026-11-26-09.parquet",
		"logs/aws/cloudfront/E1/2026-11-26-10.parquet", "logs/aws/lambda/notes/2026-11-26-10.parquet",
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("files: want - got +\n%s", diff)
	}
	if out.Rows != n+reports {
		t.Errorf("got %d rows, want %d", out.Rows, n+reports)
	}
	edge := "read_parquet('" + dir + "/out/logs/aws/cloudfront/E1/*.parquet')"
	function := "read_parquet('" + dir + "/out/logs/aws/lambda/notes/*.parquet')"
	got := duckdb(t,
		`select count(*)::int as n, sum("sc-bytes")::int as bytes, count(distinct "@requestId")::int as requests, min("@timestamp")::varchar as first from `+edge,
		`select "sc-status"::int as status, count(*)::int as n from `+edge+` group by all order by all`,
		`select column_name as name, column_type as type from (describe select * from `+edge+`) order by 1`,
		`select count(*)::int as n, min("@duration")::varchar as duration, any_value("@message") as message, max("@timestamp")::varchar as last from `+function,
		`select distinct codec as c from (select compression as codec from parquet_metadata('`+dir+`/out/logs/aws/lambda/notes/*.parquet'))`,
	)
	for i, want := range []string{
		fmt.Sprintf(`[{"n":%d,"bytes":%d,"requests":%d,"first":"2026-11-26 08:30:00`, n, bytes, n),
		fmt.Sprintf(`[{"status":200,"n":%d},{"status":404,"n":%d}]`, n/2, n/2),
		`[{"name":"@log","type":"VARCHAR"},{"name":"@logStream","type":"VARCHAR"},{"name":"@message","type":"VARCHAR"},{"name":"@requestId","type":"VARCHAR"},{"name":"@timestamp","type":"TIMESTAMP WITH TIME ZONE"},{"name":"code","type":"VARCHAR"},{"name":"cs-uri-stem","type":"VARCHAR"},{"name":"sc-bytes","type":"BIGINT"},{"name":"sc-status","type":"BIGINT"},{"name":"time-taken","type":"DOUBLE"}]`,
		fmt.Sprintf(`[{"n":%d,"duration":"1.5","message":"REPORT it's\n\"quoted\"","last":"2026-11-26 10:59:30.123456`, reports),
		`[{"c":"ZSTD"}]`,
	} {
		if !strings.HasPrefix(got[i], want) {
			var shown any
			_ = json.Unmarshal([]byte(got[i]), &shown)
			t.Errorf("answer %d:\ngot  %s\nwant %s", i, got[i], want)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	now := time.Now()
	good := export.Input{Groups: []string{"/a"}, Start: wire.At(now.Add(-time.Hour)), Bucket: "out"}
	for name, change := range map[string]func(in *export.Input){
		"no bucket":            func(in *export.Input) { in.Bucket = "" },
		"no groups":            func(in *export.Input) { in.Groups = nil },
		"no start":             func(in *export.Input) { in.Start = wire.Time{} },
		"an end before it":     func(in *export.Input) { in.End = wire.At(now.Add(-2 * time.Hour)) },
		"longer than 400 days": func(in *export.Input) { in.Start = wire.At(now.AddDate(-2, 0, 0)) },
	} {
		in := good
		change(&in)
		if _, err := (&export.Exporter{}).Export(t.Context(), in); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	x := &export.Exporter{Records: &logstest.Book{}, Objects: folder(t.TempDir())}
	if out, err := x.Export(t.Context(), good); err != nil || len(out.Files) != 0 {
		t.Errorf("of nothing: got %+v, %v", out, err)
	}
}
