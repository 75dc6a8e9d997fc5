package ingest

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

// The fields of an Application Load Balancer's access log, as its documentation
// names them.
var albNames = strings.Fields(`type time elb client:port target:port request_processing_time target_processing_time
	response_processing_time elb_status_code target_status_code received_bytes sent_bytes request user_agent ssl_cipher
	ssl_protocol target_group_arn trace_id domain_name chosen_cert_arn matched_rule_priority request_creation_time
	actions_executed redirect_url error_reason target:port_list target_status_code_list classification
	classification_reason conn_trace_id transformed_host transformed_uri request_transform_status`)

// Those of a Classic Load Balancer's.
var elbNames = strings.Fields(`timestamp elb client:port backend:port request_processing_time backend_processing_time
	response_processing_time elb_status_code backend_status_code received_bytes sent_bytes request user_agent
	ssl_cipher ssl_protocol`)

// Those of S3's server access log, as AWS names them where names have no spaces: in
// the table for Athena.
var s3Names = strings.Fields(`bucketowner bucket_name requestdatetime remoteip requester requestid operation key request_uri
	httpstatus errorcode bytessent objectsize totaltime turnaroundtime referrer useragent versionid hostid sigv
	ciphersuite authtype endpoint tlsversion accesspointarn aclrequired`)

const s3Time = "02/Jan/2006:15:04:05 -0700"

// least is how many fields a line must have to be one of such a log.
const least = 12

// columns parses lines whose fields stand between spaces, some in quotes or brackets.
type columns struct {
	names  []string
	time   string // name of the field
	layout string // of it; "": RFC 3339
	group  func(fields []logs.Field) string

	values []string // of a line
}

func (c *columns) Parse(line string) (logs.Record, bool, error) {
	var err error
	if c.values, err = cut(c.values[:0], line); err != nil {
		return logs.Record{}, false, err
	}
	if len(c.values) < least {
		return logs.Record{}, false, fmt.Errorf("it has %d fields, and the log has %d", len(c.values), len(c.names))
	}
	r := logs.Record{Message: line}
	for i, v := range c.values {
		if i == len(c.names) { // of a later version of the log
			break
		}
		name := c.names[i]
		if name == c.time {
			if r.Time, err = c.moment(v); err != nil {
				return r, false, err
			}
		}
		if v == "-" || v == "" {
			continue
		}
		r.Fields = append(r.Fields, logs.Field{Name: name, Value: v})
		switch name {
		case "requestid":
			r.Request = v
		case "trace_id":
			if m := rootPart.FindStringSubmatch(v); m != nil {
				r.Fields = append(r.Fields, logs.Field{Name: logs.FieldTrace, Value: m[1]})
			}
		}
	}
	r.Group = c.group(r.Fields)
	return r, true, nil
}

var rootPart = regexp.MustCompile(`(?:^|;)(?:Root|Self)=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)`)

func (c *columns) moment(v string) (time.Time, error) {
	layout := c.layout
	if layout == "" {
		layout = time.RFC3339Nano
	}
	t, err := time.Parse(layout, v)
	if err != nil {
		return t, fmt.Errorf("%s %q is no time such as %s", c.time, v, layout)
	}
	return t.UTC(), nil
}

// cut appends the fields of a line to list. In quotes a backslash takes the next
// character as it is.
func cut(list []string, line string) ([]string, error) {
	for line != "" {
		var value string
		switch line[0] {
		case ' ':
			line = line[1:]
			continue
		case '[':
			end := strings.IndexByte(line, ']')
			if end < 0 {
				return list, fmt.Errorf("field %d has no ]", len(list)+1)
			}
			value, line = line[1:end], line[end+1:]
		case '"':
			end := quoted(line)
			if end < 0 {
				return list, fmt.Errorf("field %d has no closing quote", len(list)+1)
			}
			value, line = line[1:end], line[end+1:]
			if strings.Contains(value, `\`) {
				value = unescape(value)
			}
		default:
			value, line, _ = strings.Cut(line, " ")
		}
		list = append(list, value)
	}
	return list, nil
}

// quoted finds the quote that ends the one that a text begins with. S3 writes the
// quotes that clients have sent as they are: one that no space follows ends nothing.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
		case s[i] == '"' && (i+1 == len(s) || s[i+1] == ' '):
			return i
		}
	}
	return -1
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// balancerGroup is the group of a load balancer's log.
func balancerGroup(name string) func([]logs.Field) string {
	return func(fields []logs.Field) string {
		for _, f := range fields {
			if f.Name == name && groupName.MatchString(f.Value) {
				return "/aws/elasticloadbalancing/" + f.Value
			}
		}
		return ""
	}
}

// bucketGroup is the group of a bucket's log.
func bucketGroup(fields []logs.Field) string {
	for _, f := range fields {
		if f.Name == "bucket_name" && groupName.MatchString(f.Value) {
			return "/aws/s3/" + f.Value
		}
	}
	return ""
}

// groupName is what a log group's name may end in.
var groupName = regexp.MustCompile(`^[A-Za-z0-9_./#-]{1,256}$`)
