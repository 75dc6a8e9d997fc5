package pattern_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/pattern"
)

const small = ` {"id":"1","detail-type":"T","source":"s","resources":["r1","r2"],"detail":{"instance-id":"i-1","state":"RUN\"NING","n":3,"on":true,"o":{"a":"x","b":[1]},"list":[{"k":1},{"k":2},{}],"none":null}} `

var origin = pattern.Origin{RuleARN: "arn:aws:events:us-east-1:000000000000:rule/r", RuleName: "r", Ingested: time.Date(2026, 1, 2, 3, 4, 5, 6e8, time.UTC)}

func TestInputIsPutInPlaceOfTheEvent(t *testing.T) {
	path := func(p string) pattern.Input { return pattern.Input{Path: p} }
	template := func(text string) pattern.Input {
		return pattern.Input{Transformer: &pattern.Transformer{Template: text, Paths: map[string]string{
			"instance": "$.detail.instance-id", "state": "$.detail.state", "n": "$.detail.n", "on": "$.detail.on", "o": "$.detail.o", "what": "$.detail.what",
			"resources": "$.resources", "null": "$.detail.none",
		}}}
	}
	for name, c := range map[string]struct {
		in   pattern.Input
		want string
	}{
		"nothing":                                {pattern.Input{}, small},
		"a constant":                             {pattern.Input{Text: `{"a": 1}`}, `{"a": 1}`},
		"the whole":                              {path("$"), strings.TrimSpace(small)},
		"a part":                                 {path("$.detail.o"), `{"a":"x","b":[1]}`},
		"a name with a dash":                     {path("$.detail.instance-id"), `"i-1"`},
		"an item":                                {path("$.resources[1]"), `"r2"`},
		"a member of an item":                    {path("$.detail.list[1].k"), `2`},
		"every item":                             {path("$.detail.list[*].k"), `[1,2]`},
		"every member":                           {path("$.detail.o.*"), `["x",[1]]`},
		"an item that is not there":              {path("$.resources[2]"), `null`},
		"a member that is not there":             {path("$.detail.what.ever"), `null`},
		"a member of a string":                   {path("$.source.x"), `null`},
		"a text":                                 {template(`"<instance> is in state <n>"`), `"i-1 is in state 3"`},
		"quotes in a text":                       {template(`"<instance> is in \"<n>\""`), `"i-1 is in \"3\""`},
		"a quote in a value":                     {template(`"it is <state>"`), `"it is RUN\"NING"`},
		"what is missing in a text":              {template(`"it is <what>"`), `"it is "`},
		"what nobody names in a text":            {template(`"it is <undefined>"`), `"it is "`},
		"an object in a text":                    {template(`"it is <o>"`), `"it is {a:x,b:[1]}"`},
		"an object":                              {template(`{"i": <instance>, "s": <state>}`), `{"i": "i-1", "s": "RUN\"NING"}`},
		"variables in and outside quotes":        {template(`{"i":"<instance>","s":[9,<n>,<on>,<null>,true],"m":"<instance> \"<n>\" <state>"}`), `{"i":"i-1","s":[9,3,true,null,true],"m":"i-1 \"3\" RUN\"NING"}`},
		"an object outside quotes":               {template(`{"o":<o>,"r":<resources>}`), `{"o":{"a":"x","b":[1]},"r":["r1","r2"]}`},
		"an object inside quotes of one":         {template(`{"o":"<o>"}`), `{"o":"{\"a\":\"x\",\"b\":[1]}"}`},
		"what is missing in an object":           {template(`{"w":<what>,"x":"<what>"}`), `{"w":"","x":""}`},
		"an array":                               {template(`[<n>,<n>]`), `[3,3]`},
		"one variable":                           {template(`<o>`), `{"a":"x","b":[1]}`},
		"several texts":                          {template("\"<instance>\"\n\"<n>\""), "\"i-1\"\n\"3\""},
		"the rule":                               {template(`{"arn":<aws.events.rule-arn>,"name":"<aws.events.rule-name>"}`), `{"arn":"arn:aws:events:us-east-1:000000000000:rule/r","name":"r"}`},
		"when it came":                           {template(`{"at":<aws.events.event.ingestion-time>}`), `{"at":"2026-01-02T03:04:05Z"}`},
		"the event without its detail":           {template(`{"e":<aws.events.event>}`), `{"e":{"id":"1","detail-type":"T","source":"s","resources":["r1","r2"]}}`},
		"the event with its detail":              {template(`{"e":<aws.events.event.json>}`), `{"e":` + strings.TrimSpace(small) + `}`},
		"what looks like a variable, and is not": {template(`"1 < 2 > <n>"`), `"1 < 2 > 3"`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.in.Check(); err != nil {
				t.Fatal(err)
			}
			got, err := c.in.Apply([]byte(small), origin)
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestInputsThatAreNone(t *testing.T) {
	template := func(text string) pattern.Input {
		return pattern.Input{Transformer: &pattern.Transformer{Template: text, Paths: map[string]string{"a": "$.a"}}}
	}
	named := func(name, path string) pattern.Input {
		return pattern.Input{Transformer: &pattern.Transformer{Template: `"x"`, Paths: map[string]string{name: path}}}
	}
	many := map[string]string{}
	for i := range 101 {
		many[fmt.Sprint("n", i)] = "$"
	}
	for want, in := range map[string]pattern.Input{
		"Only one of Input, InputPath, or InputTransformer": {Text: "1", Path: "$"},
		"Input is not JSON":                         {Text: "hello"},
		"at most 8192":                              {Text: `"` + strings.Repeat("x", 8192) + `"`},
		"not a path such as":                        {Path: "detail"},
		"InputPath is not valid":                    {Path: "$detail"},
		"does not go on with":                       {Path: "$.a..b"},
		"names have letters":                        {Path: "$.a b"},
		"members are named with a dot":              {Path: "$['a']"},
		"[0], [1]":                                  {Path: "$.a[-1]"},
		`InputPathsMap: the name "a b"`:             named("a b", "$"),
		"InputPathsMap: a:":                         named("a", "x"),
		"101 paths":                                 {Transformer: &pattern.Transformer{Template: `"x"`, Paths: many}},
		"it has 1 to 8192":                          template(""),
		"put in double quotes":                      template("hello <a>"),
		"InputTemplate is not valid":                template(`{"a": <a>`),
		"a variable cannot be the name of a member": template(`{"<a>" : 1}`),
	} {
		if err := in.Check(); fault.CodeOf(err) != "ValidationException" || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// FuzzInput holds that what is made of an event, by a template that Check lets pass,
// is JSON again.
func FuzzInput(f *testing.F) {
	f.Add(`{"a":<a>,"b":"x <b> \"<a>\"","c":[<aws.events.event>]}`, "$.detail.o", "$.resources[*]", small)
	f.Add(`"<a> <b>"`, "$.detail.state", "$.detail.list[1].k", `{"detail":{"state":"\\\"\u0000<a>"}}`)
	f.Fuzz(func(t *testing.T, template, a, b, event string) {
		in := pattern.Input{Transformer: &pattern.Transformer{Template: template, Paths: map[string]string{"a": a, "b": b}}}
		if in.Check() != nil || !valid(event) {
			return
		}
		out, err := in.Apply([]byte(event), origin)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(template, "{") && !valid(string(out)) {
			t.Errorf("%s of %s is not JSON: %s", template, event, out)
		}
	})
}

func valid(doc string) bool {
	return json.Valid([]byte(doc)) && strings.HasPrefix(strings.TrimSpace(doc), "{")
}
