package ingest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// Files is the bucket in which files wait that were in none.
const Files = "dropstack-imports"

// Formats of log files.
const (
	Auto       = "auto"
	CloudFront = "cloudfront" // the standard log: lines with tabs
	ALB        = "alb"        // an Application Load Balancer's access log
	ELB        = "elb"        // a Classic Load Balancer's
	S3         = "s3"         // server access log
	JSON       = "json"       // an object a line, as CloudFront's and others' newer deliveries
)

// Formats are all but Auto.
var Formats = []string{CloudFront, ALB, ELB, S3, JSON}

func formatList() string { return strings.Join(Formats, ", ") }

func checkFormat(name string) error {
	if name == "" || name == Auto || slices.Contains(Formats, name) {
		return nil
	}
	return fault.Errorf(fault.Invalid, "format %q: there are %s, %s", name, Auto, formatList())
}

// Parser makes records of the lines of one file, in their order.
type Parser interface {
	// Parse makes a record of a line. ok is false if the line is a comment; an error
	// says what is wrong with it. Group and Stream may be left empty.
	Parse(line string) (r logs.Record, ok bool, err error)
}

func (im *Importer) parser(format string) Parser {
	switch format {
	case CloudFront:
		return im.CloudFront()
	case ALB:
		return &columns{names: albNames, time: "time", group: balancerGroup("elb")}
	case ELB:
		return &columns{names: elbNames, time: "timestamp", group: balancerGroup("elb")}
	case S3:
		return &columns{names: s3Names, time: "requestdatetime", layout: s3Time, group: bucketGroup}
	}
	return objects{}
}

var (
	albLine = regexp.MustCompile(`^(https?|h2|grpcs|wss?) \d{4}-\d{2}-\d{2}T[0-9:.]+Z \S+ `)
	elbLine = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T[0-9:.]+Z \S+ \S+:\d+ `)
	s3Line  = regexp.MustCompile(`^\S+ [a-z0-9.-]{3,63} \[\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\] `)
	cfLine  = regexp.MustCompile(`^(#Version:|#Fields:|\d{4}-\d{2}-\d{2}\t\d{2}:\d{2}:\d{2}\t)`)
)

// detect tells a file's format by its first line; "" is none.
func detect(line string) string {
	switch {
	case cfLine.MatchString(line):
		return CloudFront
	case albLine.MatchString(line):
		return ALB
	case elbLine.MatchString(line):
		return ELB
	case s3Line.MatchString(line):
		return S3
	case strings.HasPrefix(line, "{"):
		return JSON
	}
	return ""
}

// deliveryName is how CloudFront names the files of a distribution.
var deliveryName = regexp.MustCompile(`(?:^|/)(E[A-Z0-9]{7,31}|[A-Za-z0-9-]{1,64})\.\d{4}-\d{2}-\d{2}-\d{2}\.[A-Za-z0-9]+(?:\.gz|\.json\.gz)?$`)

// Distribution is the id of the distribution that a file of CloudFront's log is named
// for, or "".
func Distribution(key string) string {
	if m := deliveryName.FindStringSubmatch(key); m != nil {
		return m[1]
	}
	return ""
}

// groupOf is where a file's records go whose lines do not say it.
func groupOf(bucket, key string) string {
	if id := Distribution(key); id != "" {
		return logs.DistributionGroup + id
	}
	if bucket == Files {
		bucket = "files"
	}
	return "/dropstack/import/" + bucket
}
