package metric

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	maxData       = 1000 // of one call
	maxValues     = 150  // of one datum
	maxDimensions = 30
	ahead         = 2 * time.Hour // that a datum may be of
)

// limit is the greatest number that a datum may have, 2 to the power of 360.
var limit = math.Ldexp(1, 360)

var units = []string{
	"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes",
	"Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count",
	"Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second",
	"Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second", "None",
}

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidParameterValueException", format, args...)
}

func missing(name string) error {
	return fault.Coded(fault.Invalid, "MissingRequiredParameterException", "The parameter %s is required.", name)
}

func combination(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidParameterCombinationException", format, args...)
}

// checkPut checks a call before anything of it is kept.
func checkPut(namespace string, list []MetricDatum, now time.Time) error {
	switch {
	case namespace == "":
		return missing("Namespace")
	case len(namespace) > 255 || !printable(namespace) || namespace[0] == ':':
		return invalid("The value %q for parameter Namespace is invalid: at most 255 printable characters of ASCII, the first no colon.", namespace)
	case strings.HasPrefix(namespace, "AWS/"):
		return invalid("The value AWS/ for parameter Namespace is invalid: it is reserved for the platform's own metrics.")
	case len(list) == 0:
		return missing("MetricData")
	case len(list) > maxData:
		return invalid("The collection MetricData must not have a size greater than %d.", maxData)
	}
	for i, d := range list {
		if err := checkDatum(i+1, d, now); err != nil {
			return err
		}
	}
	return nil
}

func checkDatum(n int, d MetricDatum, now time.Time) error {
	switch {
	case d.MetricName == "":
		return fault.Coded(fault.Invalid, "MissingRequiredParameterException", "The parameter MetricData.member.%d.MetricName is required.", n)
	case len(d.MetricName) > 255 || !printable(d.MetricName):
		return invalid("The parameter MetricData.member.%d.MetricName must be at most 255 printable characters of ASCII.", n)
	case d.Unit != "" && !slices.Contains(units, d.Unit):
		return invalid("The parameter MetricData.member.%d.Unit must be a value in the set [ %s ].", n, strings.Join(units, ", "))
	case d.StorageResolution != nil && *d.StorageResolution != 1 && *d.StorageResolution != 60:
		return invalid("The parameter MetricData.member.%d.StorageResolution must be 1 or 60.", n)
	}
	if !d.Timestamp.IsZero() {
		if d.Timestamp.Before(now.Add(-oldest)) || d.Timestamp.After(now.Add(ahead)) {
			return invalid("The parameter MetricData.member.%d.Timestamp must specify a time within the past two weeks or the next two hours.", n)
		}
	}
	if err := checkDimensions(d.Dimensions); err != nil {
		return err
	}
	return checkValues(n, d)
}

func checkDimensions(list []Dimension) error {
	if len(list) > maxDimensions {
		return invalid("The collection Dimensions must not have a size greater than %d.", maxDimensions)
	}
	seen := map[string]bool{}
	for _, d := range list {
		switch {
		case d.Name == "" || len(d.Name) > 255 || !printable(d.Name) || d.Name[0] == ':':
			return invalid("The dimension name %q is invalid: 1-255 printable characters of ASCII, the first no colon.", d.Name)
		case strings.TrimSpace(d.Value) == "" || len(d.Value) > 1024 || !printable(d.Value):
			return invalid("The value of dimension %s is invalid: 1-1024 printable characters of ASCII.", d.Name)
		case seen[d.Name]:
			return invalid("The dimension %s is given twice.", d.Name)
		}
		seen[d.Name] = true
	}
	return nil
}

func checkValues(n int, d MetricDatum) error {
	kinds := 0
	for _, given := range []bool{d.Value != nil, len(d.Values) > 0, d.StatisticValues != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return missing("MetricData.member." + itoa(n) + ".Value")
	case kinds > 1:
		return combination("The parameters MetricData.member.%d.Value, Values and StatisticValues are mutually exclusive.", n)
	case len(d.Values) > maxValues:
		return invalid("The collection MetricData.member.%d.Values must not have a size greater than %d.", n, maxValues)
	case len(d.Counts) > 0 && len(d.Counts) != len(d.Values):
		return invalid("The parameters MetricData.member.%d.Values and Counts must have the same size.", n)
	}
	for _, p := range d.points() {
		for _, v := range p {
			if math.IsNaN(v) || math.Abs(v) > limit {
				return invalid("The value of MetricData.member.%d is out of range: it must be between -2^360 and 2^360, and a number.", n)
			}
		}
		if w, weighed := p[weightOf]; weighed && w <= 0 {
			return invalid("The parameter MetricData.member.%d.Counts must have numbers greater than 0.", n)
		}
	}
	if s := d.StatisticValues; s != nil && (s.SampleCount <= 0 || s.Minimum > s.Maximum) {
		return invalid("The parameter MetricData.member.%d.StatisticValues is invalid: SampleCount must be greater than 0 and Minimum not greater than Maximum.", n)
	}
	return nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
