package api

import "github.com/dropstack/dropstack/internal/metric"

// CloudWatch is the part of Amazon CloudWatch that is about metrics.
type CloudWatch struct{ Store *metric.Store }

// Service is the service "monitoring". Its clients speak CBOR (the SDK for Go), JSON
// 1.0 (the command line, the SDK for JavaScript) or Query (older ones), and are told
// errors by the names of Query whatever they speak.
func (c *CloudWatch) Service() *Service {
	return &Service{
		Scope: "monitoring", Prefix: "GraniteServiceVersion20100801.", Action: "cloudwatch", Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		QueryCodes: map[string]string{
			"InvalidParameterValueException": "InvalidParameterValue", "InvalidParameterCombinationException": "InvalidParameterCombination",
			"MissingRequiredParameterException": "MissingParameter", "LimitExceededFault": "LimitExceeded", "InternalFailure": "InternalServiceError",
			"ThrottlingException": "Throttling",
		},
		Operations: map[string]Operation{
			"PutMetricData": op(c.Store.PutMetricData, func(in metric.PutMetricDataInput) []Need {
				return []Need{{Conditions: map[string][]string{"cloudwatch:namespace": {in.Namespace}}}}
			}).aboutData(),
			"GetMetricData":       op(c.Store.GetMetricData, nil).aboutData(),
			"GetMetricStatistics": op(c.Store.GetMetricStatistics, nil).aboutData(),
			"ListMetrics":         op(c.Store.ListMetrics, nil),
		},
	}
}
