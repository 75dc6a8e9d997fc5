package gateway

import "github.com/dropstack/dropstack/internal/arn"

// StageSettings is what calls of the AWS API have set of a REST API's stage, beside
// what its template says: the framework sets access logs so. They outlive the
// template's next deployment.
type StageSettings struct {
	Description string                    `json:"description,omitempty"`
	AccessLog   *AccessLog                `json:"accessLog,omitempty"`
	Variables   map[string]string         `json:"stageVariables,omitempty"`
	Throttle    *Throttle                 `json:"throttle,omitempty"`
	Methods     map[string]MethodSettings `json:"methods,omitempty"` // by "PATH/METHOD"; "*/*": all
	Tracing     bool                      `json:"tracing,omitempty"`
	Tags        map[string]string         `json:"tags,omitempty"`
}

// MethodSettings are kept for who asks; they have no effect.
type MethodSettings struct {
	LogLevel  string `json:"logLevel,omitempty"`
	DataTrace bool   `json:"dataTrace,omitempty"`
	Metrics   bool   `json:"metrics,omitempty"`
}

// Set is the API with what has been set of its stage.
func (a API) Set(s *StageSettings) API {
	a.Settings = s
	if s == nil {
		return a
	}
	if s.AccessLog != nil {
		a.AccessLog = s.AccessLog
	}
	if s.Variables != nil {
		a.Variables = s.Variables
	}
	if s.Throttle != nil {
		a.Throttle = s.Throttle
	}
	return a
}

// PartID is the id of a part of an API, as of a resource by its path: 6 characters
// of 0-9 and a-z, the same for the same part.
func PartID(api string, part ...string) string { return arn.ID(6, append([]string{api}, part...)...) }
