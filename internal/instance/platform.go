package instance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The records of platform events, as the AWS Lambda developer guide has them in
// "Lambda Telemetry API Event schema reference". They are also what the log holds
// in place of lines when its format is JSON.
type (
	initStart struct {
		InitializationType string `json:"initializationType"`
		Phase              string `json:"phase"`
		RuntimeVersion     string `json:"runtimeVersion"`
		RuntimeVersionARN  string `json:"runtimeVersionArn"`
		FunctionName       string `json:"functionName"`
		FunctionVersion    string `json:"functionVersion"`
		InstanceID         string `json:"instanceId"`
		InstanceMaxMemory  int64  `json:"instanceMaxMemory"`
	}
	initRuntimeDone struct {
		InitializationType string `json:"initializationType"`
		Phase              string `json:"phase"`
		Status             string `json:"status"`
		ErrorType          string `json:"errorType,omitempty"`
	}
	initReport struct {
		InitializationType string       `json:"initializationType"`
		Phase              string       `json:"phase"`
		Status             string       `json:"status"`
		ErrorType          string       `json:"errorType,omitempty"`
		Metrics            initDuration `json:"metrics"`
	}
	initDuration struct {
		DurationMS float64 `json:"durationMs"`
	}
	tracing struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	invokeStart struct {
		RequestID string   `json:"requestId"`
		Version   string   `json:"version"`
		Tracing   *tracing `json:"tracing,omitempty"`
	}
	runtimeDone struct {
		RequestID string      `json:"requestId"`
		Status    string      `json:"status"`
		ErrorType string      `json:"errorType,omitempty"`
		Tracing   *tracing    `json:"tracing,omitempty"`
		Metrics   doneMetrics `json:"metrics"`
	}
	doneMetrics struct {
		DurationMS    float64 `json:"durationMs"`
		ProducedBytes int64   `json:"producedBytes"`
	}
	invokeReport struct {
		RequestID string        `json:"requestId"`
		Status    string        `json:"status"`
		ErrorType string        `json:"errorType,omitempty"`
		Tracing   *tracing      `json:"tracing,omitempty"`
		Metrics   reportMetrics `json:"metrics"`
	}
	reportMetrics struct {
		DurationMS       float64 `json:"durationMs"`
		BilledDurationMS int64   `json:"billedDurationMs"`
		MemorySizeMB     int     `json:"memorySizeMB"`
		MaxMemoryUsedMB  int     `json:"maxMemoryUsedMB"`
		InitDurationMS   float64 `json:"initDurationMs,omitempty"`
	}
	extensionInit struct {
		Name      string   `json:"name"`
		State     string   `json:"state"`
		Events    []string `json:"events"`
		ErrorType string   `json:"errorType,omitempty"`
	}
	subscribedTo struct {
		Name  string   `json:"name"`
		State string   `json:"state"`
		Types []string `json:"types"`
	}
	logsDropped struct {
		Reason         string `json:"reason"`
		DroppedRecords int    `json:"droppedRecords"`
		DroppedBytes   int    `json:"droppedBytes"`
	}
	requestEnd struct {
		RequestID string `json:"requestId"`
	}
)

// report is how an invocation went.
type report struct {
	id                 string
	status             string // success, error, timeout; a handler's error is a success of the runtime
	errorType          string
	trace              string
	took, init         time.Duration
	produced           int64
	memoryMB, maxMemMB int
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

func traced(value string) *tracing {
	if value == "" {
		return nil
	}
	return &tracing{"X-Amzn-Trace-Id", value}
}

func (c Config) initType() string {
	if c.InitType == "" {
		return "on-demand"
	}
	return c.InitType
}

var runtimeName = regexp.MustCompile(`^([a-z]+)([0-9.]*?)(?:\.(al[0-9]+))?(?:\.x)?$`)

// runtimeVersion names the runtime in the form of AWS, nodejs:22.v1. Versions of
// a runtime are not a thing here: it is always the first.
func runtimeVersion(c Config) (version, arn string) {
	version = c.Runtime
	if m := runtimeName.FindStringSubmatch(c.Runtime); m != nil {
		version = m[1] + ":" + m[2] + m[3]
	}
	version = strings.TrimSuffix(version, ":") + ".v1"
	hash := sha256.Sum256([]byte(version))
	return version, "arn:aws:lambda:" + c.Region + "::runtime:" + hex.EncodeToString(hash[:])
}

// initStarts records the beginning of a start.
func (j *journal) initStarts(c Config, phase string) {
	version, arn := runtimeVersion(c)
	j.platform("platform.initStart", initStart{
		InitializationType: c.initType(), Phase: phase, RuntimeVersion: version, RuntimeVersionARN: arn,
		FunctionName: c.Name, FunctionVersion: c.Version, InstanceID: j.instance(), InstanceMaxMemory: int64(c.MemoryMB) << 20,
	}, "INIT_START Runtime Version: "+version+"\tRuntime Version ARN: "+arn, true)
}

// instance identifies the instance: the end of its stream's name.
func (j *journal) instance() string {
	_, id, _ := strings.Cut(j.stream, "]")
	return id
}

// initEnds records how a start ended. status is success, error or timeout.
func (j *journal) initEnds(c Config, phase, status, errorType string, took time.Duration) {
	bad := status != "success"
	j.platform("platform.initRuntimeDone", initRuntimeDone{c.initType(), phase, status, errorType}, "", bad)
	line := ""
	if bad {
		line = "INIT_REPORT Init Duration: " + string(appendMS(nil, took)) + " ms\tPhase: " + phase + "\tStatus: " + status
		if status == "error" {
			line += "\tError Type: " + errorType
		}
	}
	j.platform("platform.initReport", initReport{c.initType(), phase, status, errorType, initDuration{milliseconds(took)}},
		line, bad || c.initType() != "on-demand")
}

// extension records how far an extension got in the init.
func (j *journal) extension(name, state string, events []string, errorType string) {
	line := "EXTENSION\tName: " + name + "\tState: " + state + "\tEvents: [" + strings.Join(events, ", ") + "]"
	if errorType != "" {
		line += "\tError Type: " + errorType
	}
	j.platform("platform.extension", extensionInit{name, state, append([]string{}, events...), errorType}, line, true)
}

// subscribed records a subscription.
func (a *api) subscribed(s *subscriber) {
	if a.journal == nil {
		return
	}
	kind, title := "platform.telemetrySubscription", "TELEMETRY"
	if s.legacy {
		kind, title = "platform.logsSubscription", "LOGS"
	}
	names := make([]string, len(s.types))
	for i, t := range s.types {
		names[i] = strings.ToUpper(t[:1]) + t[1:]
	}
	a.journal.platform(kind, subscribedTo{s.name, "Subscribed", s.types},
		title+"\tName: "+s.name+"\tState: Subscribed\tTypes: ["+strings.Join(names, ", ")+"]", true)
}

// line is the REPORT line: tab-separated, with a tab at its end unless it ends in
// what went wrong. What is billed includes the start, in whole milliseconds.
func (r *report) line() string {
	b := make([]byte, 0, 256)
	b = append(append(b, "REPORT RequestId: "...), r.id...)
	b = appendMS(append(b, "\tDuration: "...), r.took)
	b = append(b, " ms\tBilled Duration: "...)
	b = strconv.AppendInt(b, r.billed(), 10)
	b = append(b, " ms\tMemory Size: "...)
	b = strconv.AppendInt(b, int64(r.memoryMB), 10)
	b = append(b, " MB\tMax Memory Used: "...)
	b = strconv.AppendInt(b, int64(r.maxMemMB), 10)
	b = append(b, " MB\t"...)
	if r.init > 0 {
		b = append(appendMS(append(b, "Init Duration: "...), r.init), " ms\t"...)
	}
	if r.status != "success" {
		b = append(append(b, "Status: "...), r.status...)
	}
	if r.status == "error" {
		b = append(append(b, "\tError Type: "...), r.errorType...)
	}
	return string(b)
}

func (r *report) billed() int64 {
	return int64((r.took + r.init + time.Millisecond - 1) / time.Millisecond)
}

// done is the runtimeDone event, which calls a process's own end a failure where
// the report says error.
func (r *report) done() []byte {
	status := r.status
	if status == "error" {
		status = "failure"
	}
	return envelope(time.Now(), "platform.runtimeDone", runtimeDone{
		r.id, status, r.errorType, traced(r.trace), doneMetrics{milliseconds(r.took), r.produced},
	})
}

func (r *report) report() []byte {
	return envelope(time.Now(), "platform.report", invokeReport{r.id, r.status, r.errorType, traced(r.trace), reportMetrics{
		milliseconds(r.took), r.billed(), r.memoryMB, r.maxMemMB, milliseconds(r.init),
	}})
}

// appendMS appends milliseconds with two digits behind the point.
func appendMS(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d)/float64(time.Millisecond), 'f', 2, 64)
}

var categoryReason = regexp.MustCompile(`^(Runtime|Function|Extension|Sandbox)\.[A-Z][a-zA-Z]+`)

// publicType is an error type as platform events tell it: Category.Reason.
// Anything else that a function calls its errors is not repeated.
func publicType(errorType string) string {
	switch {
	case errorType == "" || categoryReason.MatchString(errorType):
		return errorType
	case strings.HasPrefix(errorType, "Function."):
		return "Function.Unknown"
	}
	return "Runtime.Unknown"
}

// levels of a function's own lines, from the most detailed on.
var levels = map[string]int{"TRACE": -2, "DEBUG": -1, "INFO": 0, "WARN": 1, "ERROR": 2, "FATAL": 3}

// levelOf is the level that a line gives itself as JSON; others count as INFO.
func levelOf(line string) int {
	var l struct{ Level string }
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &l) != nil {
		return levels["INFO"]
	}
	return levels[strings.ToUpper(l.Level)] // none of them: 0, INFO
}
