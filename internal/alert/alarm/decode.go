package alarm

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// numbers and flags are the properties of alarms that are none of text, wherever they
// stand in one: templates have them as text, too.
var (
	numbers = map[string]bool{"Threshold": true, "Period": true, "EvaluationPeriods": true, "DatapointsToAlarm": true}
	flags   = map[string]bool{"ActionsEnabled": true, "ReturnData": true}
)

// Decode reads the properties of an AWS::CloudWatch::Alarm.
func Decode(properties map[string]any) (Alarm, error) {
	var a Alarm
	doc, err := json.Marshal(loose("", properties))
	if err != nil {
		return a, err
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, invalid("an alarm's properties: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if a.ActionsEnabled != nil && *a.ActionsEnabled {
		a.ActionsEnabled = nil // as it is unless said
	}
	return a, nil
}

// loose is a value with texts that stand for numbers and flags as what they stand for.
func loose(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if value = loose(key, value); value != nil {
				out[key] = value
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = loose("", item)
		}
		return out
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil && numbers[name] {
			return f
		}
		if b, err := strconv.ParseBool(v); err == nil && flags[name] {
			return b
		}
		return v
	case json.Number, float64, int, bool:
		if !numbers[name] && !flags[name] {
			return text(v)
		}
	}
	return v
}

// text is a number or a flag where a text is wanted: a dimension's value, say.
func text(v any) any {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return v
}
