package query

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

// workers is how many share a batch, the machine having other things to do.
const workers = 2

// smallBatch is how many records are not worth sharing.
const smallBatch = 4096

// Run answers a query. progress, which may be nil, is called after every batch.
// With ctx the search ends, with its error; the result is then what was found so far.
func Run(ctx context.Context, source Source, q *Query, r Range, progress func(Progress)) (Result, error) {
	run := &run{ctx: ctx, q: q, r: r, groups: map[string]bool{}}
	now := time.Now()
	for i := range workers {
		p, err := newPlan(q, r, now)
		if err != nil {
			return Result{}, err
		}
		run.workers = append(run.workers, &worker{plan: p, part: uint64(i), env: &env{columns: make([]*logs.Column, len(p.slots.names))}})
	}
	err := run.batches(source, progress)
	result, late := run.result(true)
	if err == nil {
		err = late
	}
	return result, err
}

// Columns are those of a query's result, or what is wrong with it that only planning
// tells.
func (q *Query) Columns() ([]string, error) {
	r, err := Run(context.Background(), nothingAtAll{}, q, Range{}, nil)
	return r.Columns, err
}

// nothingAtAll is a source without records.
type nothingAtAll struct{}

func (nothingAtAll) Batches(context.Context, logs.Selection) iter.Seq2[logs.Batch, error] {
	return func(func(logs.Batch, error) bool) {}
}

// run is a query that is being answered.
type run struct {
	ctx     context.Context
	q       *Query
	r       Range
	workers []*worker
	stats   Statistics
	groups  map[string]bool
	turn    int
}

// worker looks at its share of each batch.
type worker struct {
	*plan
	env  *env
	rows []int32 // that meet the conditions so far
	err  error

	part  uint64 // of all values, for a tally
	tally tally
}

func (w *worker) tallied() *logs.Column {
	if w.stats == nil {
		return nil
	}
	return w.stats.tallied(w.env)
}

func (r *run) batches(source Source, progress func(Progress)) error {
	plan := r.workers[0].plan
	for b, err := range source.Batches(r.ctx, plan.sel) {
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil {
			return err
		}
		if plan.order != nil && len(plan.order.keys) == 0 {
			if b, ok := b.(bounded); ok && r.past(b.Bounds()) {
				return nil
			}
		}
		if err := r.batch(b); err != nil {
			return err
		}
		if progress != nil {
			progress(Progress{r.statistics(), func() Result {
				result, _ := r.result(false)
				return result
			}})
		}
	}
	return r.ctx.Err()
}

// bounded is a batch that tells between which times the records are that it was chosen
// from. Batches come in the order of the later of them, or for the oldest first of the
// earlier; so a search for the newest can tell when it has them.
type bounded interface {
	Bounds() (first, last int64)
}

// past tells whether no record that comes can be in the result. Each worker may have
// enough by itself.
func (r *run) past(first, last int64) bool {
	for _, w := range r.workers {
		if w.order.past(first, last) {
			return true
		}
	}
	return false
}

// batch has the workers look at a batch: at the columns of one condition after the
// other, while any record is left, then at those of the result.
func (r *run) batch(b logs.Batch) error {
	r.turn++
	n := b.Len()
	r.groups[b.Group()] = true
	r.stats.RecordsScanned += int64(n)
	share := n
	if n > smallBatch {
		share = (n + workers - 1) / workers
	}
	active := r.workers[:0:0]
	for i, w := range r.workers {
		w.env.batch, w.env.turn, w.err = b, r.turn, nil
		clear(w.env.columns)
		low, high := min(i*share, n), min((i+1)*share, n)
		if w.start(r.r, low, high); len(w.rows) > 0 {
			active = append(active, w)
		}
	}
	loaded := map[int]bool{}
	for i := range r.workers[0].conditions {
		r.load(b, r.workers[0].conditions[i].needs, loaded)
		together(active, func(w *worker) { w.keep(i) })
		left := active[:0]
		for _, w := range active {
			if len(w.rows) > 0 {
				left = append(left, w)
			}
		}
		if active = left; len(active) == 0 {
			return nil
		}
	}
	r.load(b, r.workers[0].slots.all(), loaded)
	if col := r.workers[0].tallied(); col != nil {
		together(r.workers, func(w *worker) { w.tally.count(col, w.rows) })
		together(r.workers, func(w *worker) { w.err = w.settle(col, r.workers) })
	} else {
		together(active, func(w *worker) { w.take(int64(r.turn)) })
	}
	for _, w := range r.workers {
		if r.stats.RecordsMatched += int64(len(w.rows)); w.err != nil {
			return w.err
		}
	}
	return nil
}

// load gets columns of a batch.
func (r *run) load(b logs.Batch, slots []int, loaded map[int]bool) {
	for _, i := range slots {
		if loaded[i] {
			continue
		}
		loaded[i] = true
		c := b.Column(r.workers[0].slots.names[i])
		if c != nil {
			r.stats.BytesScanned += int64(4 * len(c.Codes))
			for _, v := range c.Values {
				r.stats.BytesScanned += int64(len(v))
			}
		}
		for _, w := range r.workers {
			w.env.columns[i] = c
		}
	}
}

// together has the workers do something at once.
func together(list []*worker, do func(w *worker)) {
	if len(list) < 2 {
		for _, w := range list {
			do(w)
		}
		return
	}
	var wait sync.WaitGroup
	for _, w := range list[1:] {
		wait.Go(func() { do(w) })
	}
	do(list[0])
	wait.Wait()
}

// start begins with all records of a share that are of the wanted time.
func (w *worker) start(r Range, low, high int) {
	w.rows = w.rows[:0]
	from, to := int64(-1<<63), int64(1<<63-1)
	if !r.Start.IsZero() {
		from = r.Start.UnixNano()
	}
	if !r.End.IsZero() {
		to = r.End.UnixNano()
	}
	for i := low; i < high; i++ {
		if t := w.env.batch.Time(i); t >= from && t < to {
			w.rows = append(w.rows, int32(i))
		}
	}
}

// keep leaves the records that meet a condition.
func (w *worker) keep(i int) {
	w.rows = w.conditions[i].keep(w.env, w.rows)
}

// take counts the records that are left.
func (w *worker) take(batch int64) {
	if w.stats != nil {
		w.err = w.stats.add(w.env, w.rows)
		return
	}
	w.order.add(w.env, w.rows, batch)
	w.err = w.order.fits()
}

func (r *run) statistics() Statistics {
	s := r.stats
	s.Groups = len(r.groups)
	return s
}

// result is what has been found so far. Unless it is the last, the workers keep what
// they have.
func (r *run) result(last bool) (Result, error) {
	first := r.workers[0].plan
	t := &rows{now: first.now, shown: first.shown, records: first.order != nil}
	rest := first.rest
	if first.stats != nil {
		g, others := first.stats, r.workers[1:]
		if !last {
			p, err := newPlan(r.q, r.r, time.Unix(int64(first.now), 0))
			if err != nil {
				return Result{}, err
			}
			g, others = p.stats, r.workers
		}
		for _, w := range others {
			g.merge(w.stats)
		}
		t.columns, t.by = g.columns, len(g.by)
		t.list = g.rows(!sorts(rest) && g.top == 0)
		if g.top > 0 {
			t.top(g.top)
		}
	} else {
		var all []*ordering
		for _, w := range r.workers {
			all = append(all, w.order)
		}
		t.columns, t.list = first.order.columns, merged(all)
	}
	err := t.do(rest)
	return t.result(rowsOf(r.r), r.r.Pointer, r.statistics()), err
}

// sorts tells whether rows are put in an order anyhow.
func sorts(rest []Stage) bool {
	if len(rest) == 0 {
		return false
	}
	_, ok := rest[0].(*Sort)
	return ok
}
