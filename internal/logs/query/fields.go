package query

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// maxSurveyed is how many records are looked at to tell which fields there are.
const maxSurveyed = 200_000

// FieldUse is a field and how often records have it. Values are the most frequent.
type FieldUse struct {
	Name    string     `json:"name"`
	Percent float64    `json:"percent"`
	Values  []ValueUse `json:"values,omitempty"`
}

// ValueUse is a value and how many of the records looked at have it.
type ValueUse struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// survey is what has been seen of fields.
type survey struct {
	records int64
	fields  map[string]*seen
}

type seen struct {
	records int64
	values  map[string]int64
}

// Survey tells which fields the newest records have, the most frequent first, and up
// to so many of the values of each.
func Survey(ctx context.Context, source Source, r Range, values int) ([]FieldUse, error) {
	s := &survey{fields: map[string]*seen{}}
	for b, err := range source.Batches(ctx, logs.Selection{Groups: r.Groups, Start: r.Start, End: r.End, Newest: true}) {
		if err != nil {
			return nil, err
		}
		s.add(b, values > 0)
		if s.records >= maxSurveyed {
			break
		}
	}
	if s.records == 0 {
		return []FieldUse{}, nil
	}
	for _, name := range []string{logs.FieldTimestamp, logs.FieldIngested, logs.FieldGroup} {
		s.fields[name] = &seen{records: s.records}
	}
	return s.result(values), nil
}

func (s *survey) add(b logs.Batch, values bool) {
	s.records += int64(b.Len())
	for _, name := range b.Names() {
		c := b.Column(name)
		if c == nil {
			continue
		}
		f := s.fields[name]
		if f == nil {
			f = &seen{values: map[string]int64{}}
			s.fields[name] = f
		}
		if c.Codes == nil {
			f.records += int64(b.Len())
			continue // every record has its own value
		}
		counts := make([]int64, len(c.Values)+1)
		for _, code := range c.Codes {
			counts[code]++
		}
		f.records += int64(b.Len()) - counts[0]
		if !values || len(f.values) > 10_000 || name == logs.FieldMessage {
			continue
		}
		for i, v := range c.Values {
			if len(v) <= 200 {
				f.values[strings.Clone(v)] += counts[i+1]
			}
		}
	}
}

func (s *survey) result(values int) []FieldUse {
	list := make([]FieldUse, 0, len(s.fields))
	for name, f := range s.fields {
		use := FieldUse{Name: strings.Clone(name), Percent: math.Round(1000*float64(f.records)/float64(s.records)) / 10}
		for v, n := range f.values {
			if n > 0 {
				use.Values = append(use.Values, ValueUse{v, n})
			}
		}
		use.Values = first(use.Values, values, func(a, b ValueUse) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		})
		list = append(list, use)
	}
	slices.SortFunc(list, func(a, b FieldUse) int {
		return cmp.Or(cmp.Compare(b.Percent, a.Percent), strings.Compare(a.Name, b.Name))
	})
	return list
}

// GetLogGroupFieldsInput names a group, and the time in whose middle its records are
// looked at, in seconds since 1970.
type GetLogGroupFieldsInput struct {
	LogGroupName       string `json:"logGroupName,omitempty"`
	LogGroupIdentifier string `json:"logGroupIdentifier,omitempty"`
	Time               int64  `json:"time,omitempty"`
}

// LogGroupField is a field, and how many of a hundred records have it.
type LogGroupField struct {
	Name    string `json:"name"`
	Percent int    `json:"percent"`
}

// GetLogGroupFieldsOutput is the fields, the most frequent first.
type GetLogGroupFieldsOutput struct {
	LogGroupFields []LogGroupField `json:"logGroupFields"`
}

// GetLogGroupFields tells which fields the records of a group have: those of the last
// 15 minutes, or of 8 before and after a time.
func (s *Insights) GetLogGroupFields(ctx context.Context, in GetLogGroupFieldsInput) (GetLogGroupFieldsOutput, error) {
	out := GetLogGroupFieldsOutput{LogGroupFields: []LogGroupField{}}
	if (in.LogGroupName == "") == (in.LogGroupIdentifier == "") {
		return out, invalid("Exactly one of logGroupName and logGroupIdentifier is to be given.")
	}
	groups, err := s.expand(ctx, []string{logs.Named(in.LogGroupName, in.LogGroupIdentifier)})
	if err != nil {
		return out, err
	}
	r := Range{Groups: groups, Start: time.Now().Add(-15 * time.Minute)}
	if in.Time > 0 {
		at := StartQueryInput{}.moment(in.Time, 0)
		r.Start, r.End = at.Add(-8*time.Minute), at.Add(8*time.Minute)
	}
	list, err := Survey(ctx, s.Source, r, 0)
	for _, f := range list {
		out.LogGroupFields = append(out.LogGroupFields, LogGroupField{f.Name, int(math.Round(f.Percent))})
	}
	return out, err
}

// LogFieldsInput selects the records of which fields are wanted. A group that ends with
// * stands for all whose names begin so; no group for all. Values is how many of each
// field are told.
type LogFieldsInput struct {
	Groups []string  `json:"groups,omitempty"`
	Start  time.Time `json:"start,omitzero"`
	End    time.Time `json:"end,omitzero"`
	Values int       `json:"values,omitempty"` // 0: 10
}

// LogFieldsOutput is fields with their values.
type LogFieldsOutput struct {
	Fields []FieldUse `json:"fields"`
}

// LogFields tells which fields the newest records have and their most frequent values,
// for those who write queries.
func (s *Insights) LogFields(ctx context.Context, in LogFieldsInput) (LogFieldsOutput, error) {
	if in.Values < 0 || in.Values > 100 {
		return LogFieldsOutput{}, fault.Errorf(fault.Invalid, "values %d: from 1 to 100", in.Values)
	}
	r := Range{Start: in.Start, End: in.End}
	if len(in.Groups) > 0 {
		groups, err := s.expand(ctx, in.Groups)
		if err != nil {
			return LogFieldsOutput{}, err
		}
		r.Groups = groups
	}
	fields, err := Survey(ctx, s.Source, r, cmp.Or(in.Values, 10))
	return LogFieldsOutput{fields}, err
}
