package pattern_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/pattern"
)

// instance is the event of most cases.
const instance = `{
	"version": "0", "id": "7bf73129", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
	"account": "111122223333", "time": "2015-11-11T21:29:54Z", "region": "us-east-1",
	"resources": ["arn:aws:ec2:us-east-1:111122223333:instance/i-1", "arn:aws:ec2:us-east-1:111122223333:instance/i-2"],
	"detail": {
		"state": "Running", "empty": "", "nothing": null, "yes": true, "no": false, "none": [], "object": {"a": 1},
		"count": 301.8, "whole": 5, "account": 111122223333, "tiny": 0.0000001, "numbers": [1, 20, 300], "mixed": ["a", 1, null, [true, ["deep"]]],
		"ip": "10.0.0.42", "ip6": "2001:db8::1", "path": "dir/a*b\\c.PNG", "escaped": "caf\u00e9 \ud83d\ude00 \"x\"", "\u006eame": "n",
		"list": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "dots.in.name": "d"
	}
}`

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		want          bool
	}{
		{"a string", `{"source":["aws.ec2"]}`, true},
		{"another string", `{"source":["aws.s3"]}`, false},
		{"any of several", `{"source":["aws.s3","aws.ec2"]}`, true},
		{"case counts", `{"source":["AWS.EC2"]}`, false},
		{"all of several members", `{"source":["aws.ec2"],"region":["us-east-1"]}`, true},
		{"one of several members differs", `{"source":["aws.ec2"],"region":["eu-west-1"]}`, false},
		{"a member that is not there", `{"colour":["red"]}`, false},
		{"nested", `{"detail":{"state":["Running"]}}`, true},
		{"nested in what is not there", `{"detail":{"what":{"state":["Running"]}}}`, false},
		{"nested in a string", `{"source":{"state":["Running"]}}`, false},
		{"nested in an object", `{"detail":{"object":{"a":[1]}}}`, true},
		{"an object is no leaf", `{"detail":{"object":[1]}}`, false},
		{"any value of an array", `{"resources":["arn:aws:ec2:us-east-1:111122223333:instance/i-2"]}`, true},
		{"no value of an array", `{"resources":["i-3"]}`, false},
		{"arrays in arrays", `{"detail":{"mixed":["deep"]}}`, true},
		{"an object in an array", `{"detail":{"list":{"a":[2]}}}`, true},
		{"members of one object in an array", `{"detail":{"list":{"a":[2],"b":["y"]}}}`, true},
		{"members of different objects in an array", `{"detail":{"list":{"a":[2],"b":["x"]}}}`, false},
		{"an empty string", `{"detail":{"empty":[""]}}`, true},
		{"an empty string is not null", `{"detail":{"nothing":[""]}}`, false},
		{"null", `{"detail":{"nothing":[null]}}`, true},
		{"null is not what is missing", `{"detail":{"what":[null]}}`, false},
		{"null in an array", `{"detail":{"mixed":[null]}}`, true},
		{"true", `{"detail":{"yes":[true]}}`, true},
		{"true is not a string", `{"detail":{"yes":["true"]}}`, false},
		{"false", `{"detail":{"no":[false]}}`, true},
		{"false is not true", `{"detail":{"no":[true]}}`, false},
		{"a number", `{"detail":{"count":[301.8]}}`, true},
		{"a number written otherwise", `{"detail":{"count":[3.018e2]}}`, true},
		{"a number is not its digits", `{"detail":{"whole":["5"]}}`, false},
		{"digits are not their number", `{"account":[111122223333]}`, false},
		{"a number out of range, as it is written", `{"detail":{"account":[111122223333]}}`, true},
		{"the seventh digit after the point does not count", `{"detail":{"tiny":[0]}}`, true},
		{"a number in an array", `{"detail":{"numbers":[20]}}`, true},
		{"escapes in a value", `{"detail":{"escaped":["café 😀 \"x\""]}}`, true},
		{"escapes in a name", `{"detail":{"name":["n"]}}`, true},
		{"escapes in the pattern", `{"det\u0061il":{"state":["\u0052unning"]}}`, true},
		{"dots in a name", `{"detail":{"dots.in.name":["d"]}}`, true},

		{"prefix", `{"region":[{"prefix":"us-"}]}`, true},
		{"another prefix", `{"region":[{"prefix":"eu-"}]}`, false},
		{"a prefix longer than the value", `{"region":[{"prefix":"us-east-1-and-more"}]}`, false},
		{"the empty prefix takes any string", `{"source":[{"prefix":""}]}`, true},
		{"the empty prefix takes no number", `{"detail":{"whole":[{"prefix":""}]}}`, false},
		{"a prefix in any case", `{"detail":{"state":[{"prefix":{"equals-ignore-case":"rUN"}}]}}`, true},
		{"another prefix in any case", `{"detail":{"state":[{"prefix":{"equals-ignore-case":"rum"}}]}}`, false},
		{"a prefix in any case longer than the value", `{"detail":{"empty":[{"prefix":{"equals-ignore-case":"r"}}]}}`, false},
		{"suffix", `{"detail":{"path":[{"suffix":".PNG"}]}}`, true},
		{"another suffix", `{"detail":{"path":[{"suffix":".png"}]}}`, false},
		{"a suffix in any case", `{"detail":{"path":[{"suffix":{"equals-ignore-case":".png"}}]}}`, true},
		{"another suffix in any case", `{"detail":{"path":[{"suffix":{"equals-ignore-case":".gif"}}]}}`, false},
		{"equals in any case", `{"detail":{"state":[{"equals-ignore-case":"RUNNING"}]}}`, true},
		{"another in any case", `{"detail":{"state":[{"equals-ignore-case":"RUNNINGS"}]}}`, false},
		{"exactly", `{"detail":{"state":[{"exactly":"Running"}]}}`, true},

		{"wildcard", `{"detail":{"path":[{"wildcard":"dir/*.PNG"}]}}`, true},
		{"several wildcards", `{"detail":{"path":[{"wildcard":"*r/*c*"}]}}`, true},
		{"wildcards out of order", `{"detail":{"path":[{"wildcard":"*c*dir*"}]}}`, false},
		{"a wildcard for nothing", `{"source":[{"wildcard":"aws.ec2*"}]}`, true},
		{"ends that would overlap", `{"source":[{"wildcard":"aws.ec2*ec2"}]}`, false},
		{"a star and a backslash for themselves", `{"detail":{"path":[{"wildcard":"dir/a\\*b\\\\c.*"}]}}`, true},
		{"a wildcard takes no number", `{"detail":{"whole":[{"wildcard":"*"}]}}`, false},

		{"anything but another string", `{"detail":{"state":[{"anything-but":"Stopped"}]}}`, true},
		{"anything but the string", `{"detail":{"state":[{"anything-but":"Running"}]}}`, false},
		{"anything but a list without it", `{"detail":{"state":[{"anything-but":["Stopped","Overloaded"]}]}}`, true},
		{"anything but a list with it", `{"detail":{"state":[{"anything-but":["Stopped","Running"]}]}}`, false},
		{"anything but another number", `{"detail":{"whole":[{"anything-but":[100,200]}]}}`, true},
		{"anything but the number", `{"detail":{"whole":[{"anything-but":5}]}}`, false},
		{"anything but a string takes a number", `{"detail":{"whole":[{"anything-but":"5"}]}}`, true},
		{"anything but needs a value", `{"detail":{"what":[{"anything-but":"x"}]}}`, false},
		{"anything but takes any value of an array", `{"detail":{"numbers":[{"anything-but":[1,20]}]}}`, true},
		{"anything but all values of an array", `{"detail":{"numbers":[{"anything-but":[1,20,300]}]}}`, false},
		{"anything but a prefix", `{"detail":{"state":[{"anything-but":{"prefix":"Run"}}]}}`, false},
		{"anything but another prefix", `{"detail":{"state":[{"anything-but":{"prefix":"Stop"}}]}}`, true},
		{"anything but prefixes", `{"detail":{"state":[{"anything-but":{"prefix":["Stop","Run"]}}]}}`, false},
		{"anything but a prefix in any case", `{"detail":{"state":[{"anything-but":{"prefix":{"equals-ignore-case":"RUN"}}}]}}`, false},
		{"anything but a suffix", `{"detail":{"path":[{"anything-but":{"suffix":".PNG"}}]}}`, false},
		{"anything but suffixes", `{"detail":{"path":[{"anything-but":{"suffix":[".gif",".jpg"]}}]}}`, true},
		{"anything but in any case", `{"detail":{"state":[{"anything-but":{"equals-ignore-case":"running"}}]}}`, false},
		{"anything but several in any case", `{"detail":{"state":[{"anything-but":{"equals-ignore-case":["x","y"]}}]}}`, true},
		{"anything but a wildcard", `{"detail":{"path":[{"anything-but":{"wildcard":"*/a*"}}]}}`, false},
		{"anything but wildcards", `{"detail":{"path":[{"anything-but":{"wildcard":["*/lib/*","*/bin/*"]}}]}}`, true},

		{"equal number", `{"detail":{"count":[{"numeric":["=",3.018e2]}]}}`, true},
		{"below", `{"detail":{"whole":[{"numeric":["<",5]}]}}`, false},
		{"at most", `{"detail":{"whole":[{"numeric":["<=",5]}]}}`, true},
		{"above", `{"detail":{"whole":[{"numeric":[">",4.999999]}]}}`, true},
		{"at least", `{"detail":{"whole":[{"numeric":[">=",5.000001]}]}}`, false},
		{"within", `{"detail":{"whole":[{"numeric":[">",0,"<=",5]}]}}`, true},
		{"outside", `{"detail":{"whole":[{"numeric":[">",0,"<",5]}]}}`, false},
		{"any number of an array", `{"detail":{"numbers":[{"numeric":[">",299]}]}}`, true},
		{"a string is no number", `{"account":[{"numeric":[">",0]}]}`, false},
		{"a number that no pattern can name", `{"detail":{"account":[{"numeric":[">",0]}]}}`, false},

		{"exists", `{"detail":{"state":[{"exists":true}]}}`, true},
		{"exists not", `{"detail":{"state":[{"exists":false}]}}`, false},
		{"what is missing exists not", `{"detail":{"what":[{"exists":false}]}}`, true},
		{"what is missing does not exist", `{"detail":{"what":[{"exists":true}]}}`, false},
		{"null exists", `{"detail":{"nothing":[{"exists":true}]}}`, true},
		{"an object does not, as it is no leaf", `{"detail":{"object":[{"exists":true}]}}`, false},
		{"neither does an empty array", `{"detail":{"none":[{"exists":false}]}}`, true},
		{"in what is missing", `{"what":{"ever":[{"exists":false}]}}`, true},
		{"or equal", `{"detail":{"state":["Stopped",{"exists":true}]}}`, true},

		{"an address of a block", `{"detail":{"ip":[{"cidr":"10.0.0.0/24"}]}}`, true},
		{"an address outside", `{"detail":{"ip":[{"cidr":"10.0.1.0/24"}]}}`, false},
		{"of version 6", `{"detail":{"ip6":[{"cidr":"2001:db8::/32"}]}}`, true},
		{"what is no address", `{"source":[{"cidr":"0.0.0.0/0"}]}`, false},

		{"either", `{"$or":[{"source":["x"]},{"region":["us-east-1"]}]}`, true},
		{"neither", `{"$or":[{"source":["x"]},{"region":["y"]}]}`, false},
		{"either, and more", `{"account":["0"],"$or":[{"source":["aws.ec2"]},{"region":["y"]}]}`, false},
		{"either, nested", `{"detail":{"$or":[{"count":[{"numeric":["<",10]}]},{"state":["Running"],"yes":[true]}]}}`, true},
		{"either in either", `{"$or":[{"source":["x"]},{"$or":[{"region":["y"]},{"detail":{"whole":[5]}}]}]}`, true},
		{"the same member in all", `{"$or":[{"source":["x"]},{"source":[{"suffix":"ec2"}]}]}`, true},
		{"one object is a name like any other", `{"$or":[{"exists":false}]}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := pattern.Parse(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match([]byte(instance)); got != c.want {
				t.Errorf("%s: got %v", c.pattern, got)
			}
		})
	}
}

func TestEventsThatAreNone(t *testing.T) {
	p, err := pattern.Parse(`{"what":[{"exists":false}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for event, want := range map[string]bool{
		`{}`: true, " {\n} ": true, `{"a":{"b":[1,-0.5e+7,true,null,"\u00e9\n"]}}`: true,
		`{"what":1,"what":[]}`: true, // the last one counts
		``:                     false, ` `: false, `[]`: false, `"x"`: false, `{`: false, `{}{}`: false, `{} x`: false, `{"a":1,}`: false, `{"a" 1}`: false,
		`{a:1}`: false, `{"a":[1,]}`: false, `{"a":[1 2]}`: false, `{"a":01}`: false, `{"a":1.}`: false, `{"a":.5}`: false, `{"a":1e}`: false, `{"a":-}`: false,
		`{"a":tru}`: false, `{"a":"\x"}`: false, `{"a":"\u12"}`: false, "{\"a\":\"\n\"}": false, `{"a":"`: false, `{"a":"\`: false, `{"a":}`: false, `{"a":{"b"}}`: false,
		`{"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`: false,
	} {
		if got := p.Match([]byte(event)); got != want {
			t.Errorf("%.60s: got %v", event, got)
		}
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		``:                                       "not JSON",
		`{"a":["x"]`:                             "not JSON",
		`{"a":["x"]} x`:                          "something follows",
		`["a"]`:                                  "Filter is not an object",
		`{}`:                                     "Empty objects are not allowed",
		`{"a":{}}`:                               `Empty objects are not allowed (at "a")`,
		`{"a":{"b":[]}}`:                         `Empty arrays are not allowed (at "a.b")`,
		`{"a":"x"}`:                              `"a" must be an object or an array`,
		`{"a":[["x"]]}`:                          "Match value must be String, number, true, false, or null",
		`{"a":[{}]}`:                             "Match expression name not found",
		`{"a":[{"what":"x"}]}`:                   "Unrecognized match type what",
		`{"a":[{"prefix":"x","suffix":"y"}]}`:    "Only one key allowed in match expression",
		`{"a":[{"prefix":1}]}`:                   "prefix match pattern must be a string",
		`{"a":[{"prefix":{"wildcard":"x"}}]}`:    "Unsupported prefix pattern: wildcard",
		`{"a":[{"suffix":["x"]}]}`:               "suffix match pattern must be a string",
		`{"a":[{"equals-ignore-case":null}]}`:    "equals-ignore-case match pattern must be a string",
		`{"a":[{"exists":"true"}]}`:              "exists match pattern must be either true or false.",
		`{"a":[{"wildcard":"a**b"}]}`:            "Consecutive wildcard characters at pos 1",
		`{"a":[{"wildcard":"a\\b"}]}`:            "Invalid escape character at pos 1",
		`{"a":[{"wildcard":7}]}`:                 "wildcard match pattern must be a string",
		`{"a":[{"anything-but":[]}]}`:            "Empty arrays are not allowed",
		`{"a":[{"anything-but":null}]}`:          "Value of anything-but must be an array or single string/number value.",
		`{"a":[{"anything-but":{"prefix":""}}]}`: "Null prefix/suffix not allowed",
		`{"a":[{"anything-but":{"cidr":"10.0.0.0/8"}}]}`:                "Unsupported anything-but pattern: cidr",
		`{"a":[{"anything-but":{"prefix":"x","suffix":""}}]}`:           "Only one key allowed in match expression",
		`{"a":[{"numeric":5}]}`:                                         "Value of numeric must be an array.",
		`{"a":[{"numeric":[]}]}`:                                        "Invalid member in numeric match: ]",
		`{"a":[{"numeric":[5]}]}`:                                       "Invalid member in numeric match: 5",
		`{"a":[{"numeric":["="]}]}`:                                     "Value of = must be numeric",
		`{"a":[{"numeric":["=","5"]}]}`:                                 "Value of = must be numeric",
		`{"a":[{"numeric":["!",5]}]}`:                                   "Unrecognized numeric range operator: !",
		`{"a":[{"numeric":[">",5,"<",5]}]}`:                             "Bottom must be less than top",
		`{"a":[{"numeric":["<",5,">",1]}]}`:                             "Too many terms in numeric range expression",
		`{"a":[{"numeric":[">",1,"<",5,"<",4]}]}`:                       "Too many terms in numeric range expression",
		`{"a":[{"numeric":["<",6e9]}]}`:                                 "between -5.0E9 and 5.0E9",
		`{"a":[{"cidr":"10.0.0.0"}]}`:                                   "Malformed CIDR",
		`{"$or":[{"a":["x"]},{"b":"x"}]}`:                               `"b" must be an object or an array`,
		`{"a":["` + strings.Repeat("x", 4096) + `"]}`:                   "at most 4096",
		strings.Repeat(`{"a":`, 70) + `["x"]` + strings.Repeat("}", 70): "over 64 levels",
		manyAlternatives():                                              "combinations",
	} {
		_, err := pattern.Parse(text)
		if fault.CodeOf(err) != "InvalidEventPatternException" || fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "Event pattern is not valid. Reason: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", text, err, want)
		}
	}
}

// manyAlternatives is 2 to the power of 10 of them.
func manyAlternatives() string {
	text := `"z":["x"]`
	for i := range 10 {
		text = fmt.Sprintf(`"o%d":{"$or":[{"a":[1]},{"b":[1]}]},%s`, i, text)
	}
	return "{" + text + "}"
}

func TestMatchIsTheSameFromManyGoroutines(t *testing.T) {
	p, err := pattern.Parse(`{"detail":{"escaped":[{"prefix":"café"}],"list":{"a":[2],"b":["y"]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan bool)
	for range 8 {
		go func() {
			all := true
			for range 200 {
				all = all && p.Match([]byte(instance))
			}
			results <- all
		}()
	}
	for range 8 {
		if !<-results {
			t.Error("a match was missed")
		}
	}
}

// FuzzMatch holds what is true of any pattern and event: no panic, no match of what
// is no JSON, and the same answer however the event is written.
func FuzzMatch(f *testing.F) {
	for _, p := range []string{
		`{"detail":{"state":[{"anything-but":{"prefix":["R"]}}],"list":{"a":[1],"b":[{"exists":false}]}}}`,
		`{"$or":[{"a":[{"wildcard":"*x*"}]},{"b":[{"numeric":[">",-1,"<",1e3]}]},{"c":[{"cidr":"::/0"},null,true,""]}]}`,
		`{"what":[{"exists":false}]}`,
	} {
		f.Add(p, instance)
		f.Add(p, `{"a":"\ud800x\ud83d\ude00","b":[[1e2]],"c":null,"a":[]}`)
	}
	f.Fuzz(func(t *testing.T, text, event string) {
		p, err := pattern.Parse(text)
		if err != nil {
			if fault.CodeOf(err) != "InvalidEventPatternException" {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		got := p.Match([]byte(event))
		var doc map[string]any
		dec := json.NewDecoder(strings.NewReader(event))
		dec.UseNumber()
		if !json.Valid([]byte(event)) || dec.Decode(&doc) != nil || doc == nil {
			if got {
				t.Errorf("%q matches %q, which is no JSON object", text, event)
			}
			return
		}
		again, err := json.Marshal(doc)
		if err != nil || !utf8.ValidString(event) || strings.Count(event, "[")+strings.Count(event, "{") > 900 {
			return
		}
		if other := p.Match(again); other != got && !twice(event, doc) {
			t.Errorf("%q: %v for %q, %v for %q", text, got, event, other, again)
		}
	})
}

// twice says whether an object of an event has a member twice: encoding/json puts
// objects together then.
func twice(event string, doc any) bool {
	return strings.Count(event, ":") > countColons(doc)
}

func countColons(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for name, v := range v {
			n += 1 + strings.Count(name, ":") + countColons(v)
		}
	case []any:
		for _, v := range v {
			n += countColons(v)
		}
	case string:
		n = strings.Count(v, ":")
	}
	return n
}

func BenchmarkMatch(b *testing.B) {
	for name, text := range map[string]string{
		"source":  `{"source":["aws.ec2"]}`,
		"nested":  `{"source":["aws.ec2"],"detail-type":[{"prefix":"EC2"}],"detail":{"state":["Running"],"whole":[{"numeric":[">",0,"<",10]}]}}`,
		"either":  `{"$or":[{"source":["x"]},{"detail":{"list":{"a":[2],"b":["y"]}}}]}`,
		"escapes": `{"detail":{"escaped":[{"suffix":"\"x\""}],"path":[{"wildcard":"*/*.PNG"}]}}`,
	} {
		b.Run(name, func(b *testing.B) {
			p, err := pattern.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			event := []byte(instance)
			b.ReportAllocs()
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				if !p.Match(event) {
					b.Fatal("no match")
				}
			}
		})
	}
}
