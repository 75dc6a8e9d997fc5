package query_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
)

// slow gives a batch whenever it is told to.
type slow struct {
	*memory
	next chan struct{}
}

func (s *slow) Batches(ctx context.Context, sel logs.Selection) iter.Seq2[logs.Batch, error] {
	return func(yield func(logs.Batch, error) bool) {
		for b := range s.memory.Batches(ctx, sel) {
			select {
			case <-s.next:
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (s *slow) DescribeLogGroups(_ context.Context, in logs.DescribeLogGroupsInput) (out logs.DescribeLogGroupsOutput, err error) {
	for _, name := range in.LogGroupIdentifiers {
		out.LogGroups = append(out.LogGroups, logs.LogGroup{LogGroupName: name})
	}
	return out, nil
}

func asked(text string) query.StartQueryInput {
	return query.StartQueryInput{
		LogGroupNames: []string{"/aws/cloudfront/E1", "/aws/lambda/pay", "/aws/lambda/mail"}, QueryString: text, StartTime: noon.Unix(), EndTime: noon.Add(time.Hour).Unix(),
	}
}

// until polls a query until its results are as they should be.
func until(t *testing.T, s *query.Insights, id string, is func(query.GetQueryResultsOutput) bool) query.GetQueryResultsOutput {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		out, err := s.GetQueryResults(t.Context(), query.GetQueryResultsInput{QueryID: id})
		if err != nil {
			t.Fatal(err)
		}
		if is(out) {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("it stays at %+v", out)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAQueryShowsWhatItHasUntilItIsStopped(t *testing.T) {
	source := &slow{fixture(true), make(chan struct{})}
	s := &query.Insights{Source: source, Groups: source, Log: slog.New(slog.DiscardHandler)}
	defer s.Close()
	started, err := s.StartQuery(t.Context(), asked("stats count(*) as n"))
	if err != nil {
		t.Fatal(err)
	}
	until(t, s, started.QueryID, func(out query.GetQueryResultsOutput) bool { return out.Status == query.Running })
	source.next <- struct{}{}
	source.next <- struct{}{} // the first batch has been looked at, after it was asked for
	partial := until(t, s, started.QueryID, func(out query.GetQueryResultsOutput) bool { return len(out.Results) > 0 })
	if partial.Status != query.Running || partial.Statistics.RecordsScanned == 0 || partial.Results[0][0].Field != "n" {
		t.Errorf("while it runs: got %+v", partial)
	}
	if out, err := s.StopQuery(t.Context(), query.StopQueryInput(started)); err != nil || !out.Success {
		t.Fatalf("stop: got %v, %v", out, err)
	}
	out := until(t, s, started.QueryID, func(out query.GetQueryResultsOutput) bool { return out.Status == query.Cancelled })
	if len(out.Results) != 1 || out.Results[0][0].Value == "0" {
		t.Errorf("what was found before it was stopped: got %+v", out.Results)
	}
}

func TestSoManyQueriesRunAndWait(t *testing.T) {
	source := &slow{fixture(true), make(chan struct{})}
	s := &query.Insights{Source: source, Groups: source, Log: slog.New(slog.DiscardHandler)}
	for range 30 {
		if _, err := s.StartQuery(t.Context(), asked("*")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.StartQuery(t.Context(), asked("*")); fault.CodeOf(err) != "LimitExceededException" {
		t.Errorf("one more: got %v", err)
	}
	list, err := s.DescribeQueries(t.Context(), query.DescribeQueriesInput{MaxResults: 20})
	if err != nil || len(list.Queries) != 20 || list.NextToken == "" {
		t.Errorf("got %d queries, %v", len(list.Queries), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	list, err = s.DescribeQueries(t.Context(), query.DescribeQueriesInput{Status: query.Cancelled})
	if err != nil || len(list.Queries) != 30 {
		t.Errorf("after the end %d are cancelled, %v", len(list.Queries), err)
	}
	if _, err := s.StartQuery(t.Context(), asked("*")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after the end: got %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	q, err := query.Parse("stats count(*) as n")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	r, err := query.Run(ctx, fixture(true), q, query.Range{}, func(p query.Progress) {
		if seen++; seen == 2 {
			cancel()
		}
		if n, _ := p.Partial().Rows[0][0].Float(); int64(n) != p.RecordsMatched {
			t.Errorf("so far %v are counted of %d", n, p.RecordsMatched)
		}
	})
	if !errors.Is(err, context.Canceled) || seen != 2 || r.Statistics.RecordsScanned == 0 || r.Rows[0][0].String() == "0" {
		t.Errorf("after %d batches: got %+v, %v", seen, r, err)
	}
}

func TestStatisticsAreBounded(t *testing.T) {
	m := &memory{}
	var many []logs.Record
	for i := range 3000 {
		many = append(many, logs.Record{Time: noon, Message: string(rune(0x4e00+i%3000)) + "x", Fields: []logs.Field{field("n", "7"), field("v", string(rune(0x4e00+i)))}})
	}
	for range 10 {
		m.put("g", many...)
	}
	r := run(t, m, "stats pct(n, 50) as p, median(n) as m, count_distinct(v) as d, count_distinct(@message) as e")
	for i, within := range []float64{0.07, 0.07, 0, 0} {
		want := []float64{7, 7, 3000, 3000}[i]
		if got, _ := r.Rows[0][i].Float(); got < want-within || got > want+within {
			t.Errorf("%s: got %v, want %v", r.Columns[i], got, want)
		}
	}
	for i := range 60 { // 60 times 3,000 values that differ
		for j := range many {
			many[j].Fields = []logs.Field{field("v", string(rune(0x4e00+j))+string(rune(0x4e00+i)))}
		}
		m.put("g", many...)
	}
	r = run(t, m, "stats count_distinct(v) as d")
	if got, _ := r.Rows[0][0].Float(); got < 183_000*0.97 || got > 183_000*1.03 {
		t.Errorf("of 183,000 values %v are told", got)
	}
}
