package metric

import "github.com/dropstack/dropstack/internal/wire"

// Dimension is a part of a metric's identity.
type Dimension struct {
	Name  string
	Value string
}

// Metric is what CloudWatch calls a metric: a name and dimensions in a namespace.
type Metric struct {
	Namespace  string      `json:",omitempty"`
	MetricName string      `json:",omitempty"`
	Dimensions []Dimension `json:",omitempty"`
}

// StatisticSet stands for values that the client has summed up itself.
type StatisticSet struct {
	SampleCount, Sum, Minimum, Maximum float64
}

// MetricDatum is one value, some values with how often each came (once, without
// Counts), or a statistic set.
type MetricDatum struct {
	MetricName        string
	Dimensions        []Dimension   `json:",omitempty"`
	Timestamp         wire.Time     `json:",omitzero"`
	Value             *float64      `json:",omitempty"`
	StatisticValues   *StatisticSet `json:",omitempty"`
	Values            []float64     `json:",omitempty"`
	Counts            []float64     `json:",omitempty"`
	Unit              string        `json:",omitempty"`
	StorageResolution *int          `json:",omitempty"`
}

// Entity is what a metric belongs to, in the client's eyes; it is not kept.
type Entity struct {
	KeyAttributes map[string]string `json:",omitempty"`
	Attributes    map[string]string `json:",omitempty"`
}

// EntityMetricData is data of an entity.
type EntityMetricData struct {
	Entity     *Entity       `json:",omitempty"`
	MetricData []MetricDatum `json:",omitempty"`
}

// PutMetricDataInput is data for one namespace.
type PutMetricDataInput struct {
	Namespace              string
	MetricData             []MetricDatum      `json:",omitempty"`
	EntityMetricData       []EntityMetricData `json:",omitempty"`
	StrictEntityValidation bool               `json:",omitempty"`
}

// PutMetricDataOutput is empty.
type PutMetricDataOutput struct{}

// GetMetricStatisticsInput asks for statistics of one metric.
type GetMetricStatisticsInput struct {
	Namespace          string
	MetricName         string
	Dimensions         []Dimension `json:",omitempty"`
	StartTime, EndTime wire.Time
	Period             int
	Statistics         []string `json:",omitempty"`
	ExtendedStatistics []string `json:",omitempty"`
	Unit               string   `json:",omitempty"`
}

// Datapoint is the statistics of one period, which begins at Timestamp.
type Datapoint struct {
	Timestamp          wire.Time
	SampleCount        *float64           `json:",omitempty"`
	Average            *float64           `json:",omitempty"`
	Sum                *float64           `json:",omitempty"`
	Minimum            *float64           `json:",omitempty"`
	Maximum            *float64           `json:",omitempty"`
	Unit               string             `json:",omitempty"`
	ExtendedStatistics map[string]float64 `json:",omitempty"`
}

// GetMetricStatisticsOutput has the datapoints, the oldest first.
type GetMetricStatisticsOutput struct {
	Label      string
	Datapoints []Datapoint
}

// MetricStat is one statistic of one metric.
type MetricStat struct {
	Metric *Metric `json:",omitempty"`
	Period int     `json:",omitempty"`
	Stat   string  `json:",omitempty"`
	Unit   string  `json:",omitempty"`
}

// MetricDataQuery is a statistic or an expression over others.
type MetricDataQuery struct {
	ID         string      `json:"Id"`
	MetricStat *MetricStat `json:",omitempty"`
	Expression string      `json:",omitempty"`
	Label      string      `json:",omitempty"`
	ReturnData *bool       `json:",omitempty"` // nil: true
	Period     int         `json:",omitempty"`
	AccountID  string      `json:"AccountId,omitempty"`
}

// LabelOptions are about times in labels.
type LabelOptions struct {
	Timezone string `json:",omitempty"`
}

// GetMetricDataInput asks for any number of statistics and expressions.
type GetMetricDataInput struct {
	MetricDataQueries  []MetricDataQuery
	StartTime, EndTime wire.Time
	NextToken          string        `json:",omitempty"`
	ScanBy             string        `json:",omitempty"` // "" is TimestampDescending
	MaxDatapoints      int           `json:",omitempty"`
	LabelOptions       *LabelOptions `json:",omitempty"`
}

// MessageData is something to know about a result.
type MessageData struct {
	Code  string
	Value string
}

// MetricDataResult is one time series; StatusCode is PartialData when a later page
// has more of it.
type MetricDataResult struct {
	ID         string `json:"Id"`
	Label      string
	Timestamps []wire.Time
	Values     []float64
	StatusCode string
	Messages   []MessageData `json:",omitempty"`
}

// GetMetricDataOutput is one page.
type GetMetricDataOutput struct {
	MetricDataResults []MetricDataResult
	NextToken         string        `json:",omitempty"`
	Messages          []MessageData `json:",omitempty"`
}

// DimensionFilter selects metrics that have a dimension, of any value if Value is
// empty.
type DimensionFilter struct {
	Name  string
	Value string `json:",omitempty"`
}

// ListMetricsInput selects metrics.
type ListMetricsInput struct {
	Namespace             string            `json:",omitempty"`
	MetricName            string            `json:",omitempty"`
	Dimensions            []DimensionFilter `json:",omitempty"`
	RecentlyActive        string            `json:",omitempty"` // PT3H
	NextToken             string            `json:",omitempty"`
	IncludeLinkedAccounts bool              `json:",omitempty"`
	OwningAccount         string            `json:",omitempty"`
}

// ListMetricsOutput is one page.
type ListMetricsOutput struct {
	Metrics   []Metric
	NextToken string `json:",omitempty"`
}
