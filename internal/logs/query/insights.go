package query

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

const (
	maxQueries  = 30 // that run or wait
	maxRunning  = 2
	maxNames    = 50 // of groups
	timeout     = time.Hour
	keptFor     = time.Hour // results, after their end
	keptBytes   = 32 << 20  // all results together
	keptQueries = 1000      // to describe
)

// Language is the name of this language in CloudWatch's API.
const Language = "CWLI"

// Groups knows which log groups there are.
type Groups interface {
	DescribeLogGroups(ctx context.Context, in logs.DescribeLogGroupsInput) (logs.DescribeLogGroupsOutput, error)
}

// Insights runs queries for clients that come back for the results, as CloudWatch Logs
// Insights does. Results are in memory, and gone with the process; saved queries are
// in the bucket log-queries.
type Insights struct {
	Source Source
	Groups Groups
	State  jetstream.JetStream // of the durable server
	Log    *slog.Logger

	definitions definitions

	mu      sync.Mutex
	ctx     context.Context // of all queries
	cancel  context.CancelFunc
	running sync.WaitGroup
	turns   chan struct{} // holds one for each query that runs
	queries []*started    // by the time of their start
	closed  bool
}

// started is a query that a client has started.
type started struct {
	id     string
	in     StartQueryInput
	groups []string
	query  *Query
	r      Range
	at     time.Time
	cancel context.CancelCauseFunc
	polled atomic.Bool // since the last partial result was made

	mu     sync.Mutex
	status string
	ended  time.Time
	result Result
	bytes  int
	gone   bool // the result was dropped
}

// What may have become of a query.
const (
	Scheduled = "Scheduled"
	Running   = "Running"
	Complete  = "Complete"
	Failed    = "Failed"
	Cancelled = "Cancelled"
	TimedOut  = "Timeout"
)

var errStopped = errors.New("the query was stopped")

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidParameterException", format, args...)
}

func noQuery(id string) error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "There is no query with the ID %q, or its results are kept no more.", id)
}

// StartQueryInput is a query. Times are in seconds since 1970, both included. A name
// that ends with * is ours: it stands for all groups whose names begin so.
type StartQueryInput struct {
	LogGroupName        string   `json:"logGroupName,omitempty"`
	LogGroupNames       []string `json:"logGroupNames,omitempty"`
	LogGroupIdentifiers []string `json:"logGroupIdentifiers,omitempty"` // names or ARNs
	QueryString         string   `json:"queryString"`
	StartTime           int64    `json:"startTime"`
	EndTime             int64    `json:"endTime"`
	Limit               int      `json:"limit,omitempty"`
	QueryLanguage       string   `json:"queryLanguage,omitempty"`
}

// StartQueryOutput names the query.
type StartQueryOutput struct {
	QueryID string `json:"queryId"`
}

// Names are the groups that are asked about.
func (in StartQueryInput) Names() []string {
	var names []string
	if in.LogGroupName != "" {
		names = append(names, in.LogGroupName)
	}
	names = append(names, in.LogGroupNames...)
	for _, id := range in.LogGroupIdentifiers {
		names = append(names, logs.GroupOf(id))
	}
	return names
}

// StartQuery begins to answer a query.
func (s *Insights) StartQuery(ctx context.Context, in StartQueryInput) (StartQueryOutput, error) {
	q, err := in.check()
	if err != nil {
		return StartQueryOutput{}, err
	}
	names, err := s.expand(ctx, in.Names())
	if err != nil {
		return StartQueryOutput{}, err
	}
	w := &started{
		id: uuid.NewString(), in: in, groups: names, query: q, at: time.Now(), status: Scheduled,
		r: Range{Groups: names, Start: in.moment(in.StartTime, 0), End: in.moment(in.EndTime, 1), MaxRows: in.Limit, Pointer: true},
	}
	return StartQueryOutput{w.id}, s.start(w)
}

// moment is a time of an input, and so many units later. Milliseconds are taken too.
func (StartQueryInput) moment(t, later int64) time.Time {
	if t > 100_000_000_000 {
		return time.UnixMilli(t + later)
	}
	return time.Unix(t+later, 0)
}

func (in StartQueryInput) check() (*Query, error) {
	ways := 0
	for _, given := range []bool{in.LogGroupName != "", len(in.LogGroupNames) > 0, len(in.LogGroupIdentifiers) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers is to be given.")
	case len(in.Names()) > maxNames:
		return nil, invalid("A query is about at most %d log groups.", maxNames)
	case in.QueryLanguage != "" && in.QueryLanguage != Language:
		return nil, invalid("Value '%s' at 'queryLanguage' is not available here: use %s.", in.QueryLanguage, Language)
	case in.Limit < 0 || in.Limit > MaxRows:
		return nil, invalid("Value '%d' at 'limit' is not between 1 and %d.", in.Limit, MaxRows)
	case in.StartTime < 0 || in.EndTime < in.StartTime:
		return nil, invalid("startTime %d and endTime %d are no range of times.", in.StartTime, in.EndTime)
	}
	q, err := Parse(in.QueryString)
	if err == nil {
		_, err = q.Columns()
	}
	return q, err
}

// expand finds the groups that names stand for.
func (s *Insights) expand(ctx context.Context, names []string) ([]string, error) {
	var list []string
	for _, name := range names {
		found, err := s.matching(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 && !strings.HasSuffix(name, "*") {
			return nil, fault.Coded(fault.NotFound, "ResourceNotFoundException", "Log group '%s' does not exist for account ID.", name)
		}
		list = append(list, found...)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) == 0 {
		list = []string{""} // no group has this name, and none would be all
	}
	return list, nil
}

// Matching are the groups that a name stands for now, none if that cannot be told.
func (s *Insights) Matching(ctx context.Context, name string) []string {
	list, err := s.matching(ctx, name)
	if err != nil {
		return nil
	}
	return list
}

func (s *Insights) matching(ctx context.Context, name string) (list []string, err error) {
	in := logs.DescribeLogGroupsInput{LogGroupIdentifiers: []string{name}}
	if prefix, many := strings.CutSuffix(name, "*"); many {
		in = logs.DescribeLogGroupsInput{LogGroupNamePrefix: prefix}
	}
	for {
		out, err := s.Groups.DescribeLogGroups(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, g := range out.LogGroups {
			list = append(list, g.LogGroupName)
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			return list, nil
		}
	}
}

func (s *Insights) start(w *started) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fault.Errorf(fault.Unavailable, "the platform is shutting down")
	}
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.turns = make(chan struct{}, maxRunning)
	}
	s.forget()
	active := 0
	for _, q := range s.queries {
		if !q.done() {
			active++
		}
	}
	if active >= maxQueries {
		return fault.Coded(fault.Invalid, "LimitExceededException", "At most %d queries run and wait at a time; stop one, or wait.", maxQueries)
	}
	ctx, cancel := context.WithCancelCause(s.ctx)
	w.cancel = cancel
	s.queries = append(s.queries, w)
	s.running.Go(func() {
		defer cancel(nil)
		s.answer(ctx, w)
	})
	return nil
}

// answer waits for a turn and runs a query.
func (s *Insights) answer(ctx context.Context, w *started) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		w.end(Result{}, status(ctx, ctx.Err()))
		return
	}
	w.set(Running)
	result, err := Run(ctx, s.Source, w.query, w.r, func(p Progress) {
		w.progress(p, w.polled.Swap(false))
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("log query failed", "query", w.id, "err", err)
	}
	w.end(result, status(ctx, err))
}

// status is what became of a query that ended with an error, or none.
func status(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return Complete
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return TimedOut
	case ctx.Err() != nil:
		return Cancelled
	}
	return Failed
}

func (w *started) set(status string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

// progress takes in how far a query is, with its rows if somebody has asked.
func (w *started) progress(p Progress, rows bool) {
	var r Result
	if rows {
		r = p.Partial()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if rows {
		w.result = r
	}
	w.result.Statistics = p.Statistics
}

func (w *started) end(r Result, status string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.result, w.status, w.ended = r, status, time.Now()
	for _, row := range r.Rows {
		w.bytes += sizeOf(row)
	}
}

func (w *started) done() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.ended.IsZero()
}

// forget drops results that are old, or too many; the lock is held.
func (s *Insights) forget() {
	bytes := 0
	for _, w := range slices.Backward(s.queries) {
		w.mu.Lock()
		if bytes += w.bytes; !w.ended.IsZero() && (bytes > keptBytes || time.Since(w.ended) > keptFor) {
			bytes -= w.bytes
			w.result, w.bytes, w.gone = Result{}, 0, true
		}
		w.mu.Unlock()
	}
	for len(s.queries) > keptQueries && s.queries[0].done() {
		s.queries = s.queries[1:]
	}
}

// find is the query with an ID.
func (s *Insights) find(id string) (*started, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	for _, w := range s.queries {
		if w.id == id {
			return w, nil
		}
	}
	return nil, noQuery(id)
}

// Close ends all queries.
func (s *Insights) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// StopQueryInput names a query.
type StopQueryInput struct {
	QueryID string `json:"queryId"`
}

// StopQueryOutput tells that it was stopped.
type StopQueryOutput struct {
	Success bool `json:"success"`
}

// StopQuery stops a query that runs or waits. What was found so far stays.
func (s *Insights) StopQuery(_ context.Context, in StopQueryInput) (StopQueryOutput, error) {
	w, err := s.find(in.QueryID)
	if err != nil {
		return StopQueryOutput{}, err
	}
	if w.done() {
		return StopQueryOutput{}, invalid("The query %s has ended already.", in.QueryID)
	}
	w.cancel(errStopped)
	return StopQueryOutput{Success: true}, nil
}

// DescribeQueriesInput selects queries.
type DescribeQueriesInput struct {
	LogGroupName  string `json:"logGroupName,omitempty"`
	Status        string `json:"status,omitempty"`
	MaxResults    int    `json:"maxResults,omitempty"`
	NextToken     string `json:"nextToken,omitempty"`
	QueryLanguage string `json:"queryLanguage,omitempty"`
}

// QueryInfo describes a query.
type QueryInfo struct {
	QueryLanguage string  `json:"queryLanguage"`
	QueryID       string  `json:"queryId"`
	QueryString   string  `json:"queryString"`
	Status        string  `json:"status"`
	CreateTime    int64   `json:"createTime"`
	LogGroupName  string  `json:"logGroupName"` // the first, if there are several
	QueryDuration int64   `json:"queryDuration"`
	BytesScanned  float64 `json:"bytesScanned"`
}

// DescribeQueriesOutput is a page, the newest first.
type DescribeQueriesOutput struct {
	Queries   []QueryInfo `json:"queries"`
	NextToken string      `json:"nextToken,omitempty"`
}

// DescribeQueries lists the queries of late.
func (s *Insights) DescribeQueries(_ context.Context, in DescribeQueriesInput) (DescribeQueriesOutput, error) {
	s.mu.Lock()
	list := slices.Clone(s.queries)
	s.mu.Unlock()
	var found []QueryInfo
	for _, w := range slices.Backward(list) {
		if info := w.describe(); (in.Status == "" || in.Status == info.Status) &&
			(in.QueryLanguage == "" || in.QueryLanguage == Language) && (in.LogGroupName == "" || slices.Contains(w.groups, in.LogGroupName)) {
			found = append(found, info)
		}
	}
	page, next, err := pageOf(found, in.MaxResults, in.NextToken)
	return DescribeQueriesOutput{page, next}, err
}

func (w *started) describe() QueryInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	until := w.ended
	if until.IsZero() {
		until = time.Now()
	}
	return QueryInfo{
		QueryLanguage: Language, QueryID: w.id, QueryString: w.in.QueryString, Status: w.status, CreateTime: w.at.UnixMilli(),
		LogGroupName: cmp.Or(w.groups...), QueryDuration: until.Sub(w.at).Milliseconds(), BytesScanned: float64(w.result.Statistics.BytesScanned),
	}
}
