package topic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
)

// order is the message of most cases, as attributes.
var order = map[string]Attribute{
	"store":     {"String", "example_corp"},
	"event":     {"String", "order-placed"},
	"Upper":     {"String", "MiXed"},
	"interests": {"String.Array", `["rugby","baseball",7,true,null]`},
	"single":    {"String.Array", `["rugby"]`},
	"broken":    {"String.Array", `["rugby"`},
	"price":     {"Number", "100.5"},
	"exact":     {"Number.int", "100"},
	"digits":    {"String", "100"},
	"huge":      {"Number", "1e12"},
	"tiny":      {"Number", "0.000001"},
	"ip":        {"String", "10.0.0.42"},
	"ip6":       {"String", "2001:db8::1"},
	"path":      {"String", `a*b\c`},
	"file":      {"String", "drops/2026/shot.png"},
	"image":     {"Binary", "AAEC"},
}

func TestFilterOnAttributes(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		want         bool
	}{
		{"a string that is there", `{"store":["example_corp"]}`, true},
		{"a string that is another", `{"store":["example"]}`, false},
		{"case counts in values", `{"store":["Example_corp"]}`, false},
		{"case counts in names", `{"Store":["example_corp"]}`, false},
		{"one of several values", `{"store":["x","example_corp"]}`, true},
		{"all of several names", `{"store":["example_corp"],"event":["order-placed"]}`, true},
		{"one of two names differs", `{"store":["example_corp"],"event":["order-cancelled"]}`, false},
		{"a name that is not there", `{"colour":["red"]}`, false},
		{"any value of an array", `{"interests":["football","baseball"]}`, true},
		{"no value of an array", `{"interests":["football"]}`, false},
		{"a number in an array", `{"interests":[7]}`, true},
		{"true in an array", `{"interests":[true]}`, true},
		{"null in an array", `{"interests":[null]}`, true},
		{"false is not in the array", `{"interests":[false]}`, false},
		{"an array that cannot be read", `{"broken":["rugby"]}`, false},
		{"an array that cannot be read is not there", `{"broken":[{"exists":false}]}`, true},
		{"a number", `{"exact":[100]}`, true},
		{"a number written otherwise", `{"exact":[1.0e2]}`, true},
		{"a number is not its digits", `{"exact":["100"]}`, false},
		{"digits are not their number", `{"digits":[100]}`, false},
		{"the sixth digit after the point does not count", `{"tiny":[0]}`, true},
		{"binary attributes are ignored", `{"image":["AAEC"]}`, false},
		{"binary attributes do not exist", `{"image":[{"exists":false}]}`, true},

		{"prefix", `{"event":[{"prefix":"order-"}]}`, true},
		{"prefix of another", `{"event":[{"prefix":"placed"}]}`, false},
		{"prefix of a number", `{"price":[{"prefix":"1"}]}`, false},
		{"suffix", `{"event":[{"suffix":"-placed"}]}`, true},
		{"suffix of another", `{"event":[{"suffix":"order"}]}`, false},
		{"equals-ignore-case", `{"Upper":[{"equals-ignore-case":"mixed"}]}`, true},
		{"equals-ignore-case of another", `{"Upper":[{"equals-ignore-case":"mix"}]}`, false},
		{"an operator beside values", `{"event":["x",{"suffix":"placed"}]}`, true},

		{"anything-but", `{"store":[{"anything-but":"other"}]}`, true},
		{"anything-but itself", `{"store":[{"anything-but":"example_corp"}]}`, false},
		{"anything-but a list", `{"store":[{"anything-but":["a","b"]}]}`, true},
		{"anything-but a list with it", `{"store":[{"anything-but":["a","example_corp"]}]}`, false},
		{"anything-but: one value of the array is enough", `{"interests":[{"anything-but":["rugby","tennis"]}]}`, true},
		{"anything-but the array's only value", `{"single":[{"anything-but":["rugby","tennis"]}]}`, false},
		{"anything-but what is not there", `{"colour":[{"anything-but":"red"}]}`, false},
		{"anything-but a number", `{"exact":[{"anything-but":[1,100]}]}`, false},
		{"anything-but other numbers", `{"exact":[{"anything-but":[1,101]}]}`, true},
		{"anything-but a prefix", `{"event":[{"anything-but":{"prefix":"order-"}}]}`, false},
		{"anything-but another prefix", `{"event":[{"anything-but":{"prefix":"bill-"}}]}`, true},
		{"anything-but prefixes", `{"event":[{"anything-but":{"prefix":["bill-","order-"]}}]}`, false},
		{"anything-but a suffix", `{"event":[{"anything-but":{"suffix":"placed"}}]}`, false},
		{"anything-but another suffix", `{"event":[{"anything-but":{"suffix":"paid"}}]}`, true},
		{"anything-but a wildcard", `{"file":[{"anything-but":{"wildcard":"drops/*.png"}}]}`, false},
		{"anything-but other wildcards", `{"file":[{"anything-but":{"wildcard":["*.jpg","x*"]}}]}`, true},
		{"anything-but whatever the case", `{"Upper":[{"anything-but":{"equals-ignore-case":"mixed"}}]}`, false},

		{"equal to", `{"price":[{"numeric":["=",100.5]}]}`, true},
		{"not equal to", `{"price":[{"numeric":["=",100]}]}`, false},
		{"above", `{"price":[{"numeric":[">",100.49999]}]}`, true},
		{"not above itself", `{"price":[{"numeric":[">",100.5]}]}`, false},
		{"at least itself", `{"price":[{"numeric":[">=",100.5]}]}`, true},
		{"below", `{"price":[{"numeric":["<",100.50001]}]}`, true},
		{"at most itself", `{"price":[{"numeric":["<=",100.5]}]}`, true},
		{"within a range", `{"price":[{"numeric":[">",0,"<=",150]}]}`, true},
		{"outside of a range", `{"price":[{"numeric":[">",0,"<",100.5]}]}`, false},
		{"a range is not for strings", `{"digits":[{"numeric":[">",0]}]}`, false},
		{"one number of an array", `{"interests":[{"numeric":["<",10]}]}`, true},
		{"a number that no policy can name", `{"huge":[{"numeric":[">",0]}]}`, false},

		{"exists", `{"store":[{"exists":true}]}`, true},
		{"exists, which is not there", `{"colour":[{"exists":true}]}`, false},
		{"exists: false", `{"colour":[{"exists":false}]}`, true},
		{"exists: false, which is there", `{"store":[{"exists":false}]}`, false},
		{"absent, or one value", `{"store":[{"exists":false},"example_corp"]}`, true},

		{"wildcard in the middle", `{"file":[{"wildcard":"drops/*.png"}]}`, true},
		{"wildcard for nothing", `{"store":[{"wildcard":"example*_corp"}]}`, true},
		{"wildcard alone", `{"file":[{"wildcard":"*"}]}`, true},
		{"three wildcards", `{"file":[{"wildcard":"*/20*/*.png"}]}`, true},
		{"wildcard: the ends may not overlap", `{"exact":["x"],"store":[{"wildcard":"example_corp*corp"}]}`, false},
		{"wildcard of another", `{"file":[{"wildcard":"drops/*.jpg"}]}`, false},
		{"an escaped asterisk and backslash", `{"path":[{"wildcard":"a\\*b\\\\*"}]}`, true},
		{"an escaped asterisk is no wildcard", `{"store":[{"wildcard":"example\\*"}]}`, false},

		{"an address in a block", `{"ip":[{"cidr":"10.0.0.0/24"}]}`, true},
		{"an address outside of it", `{"ip":[{"cidr":"10.0.1.0/24"}]}`, false},
		{"an address of IPv6", `{"ip6":[{"cidr":"2001:db8::/32"}]}`, true},
		{"no address", `{"store":[{"cidr":"0.0.0.0/0"}]}`, false},

		{"$or, the first holds", `{"$or":[{"store":["example_corp"]},{"event":["x"]}]}`, true},
		{"$or, the second holds", `{"$or":[{"store":["x"]},{"event":[{"prefix":"order"}]}]}`, true},
		{"$or, none holds", `{"$or":[{"store":["x"]},{"event":["x"]}]}`, false},
		{"$or and another name", `{"exact":[100],"$or":[{"store":["example_corp"]},{"event":["x"]}]}`, true},
		{"$or and another name that differs", `{"exact":[1],"$or":[{"store":["example_corp"]},{"event":["x"]}]}`, false},
		{"$or within $or", `{"$or":[{"store":["x"]},{"$or":[{"event":["x"]},{"exact":[100]}]}]}`, true},
		{"$or of one value is a name", `{"$or":["x"]}`, false},
		{"no policy", ``, true},
		{"the empty policy", `{}`, true},
	} {
		f, err := compileFilter(c.policy, ScopeAttributes)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := f.Match(order, "not JSON"); got != c.want {
			t.Errorf("%s: %s gives %v, want %v", c.name, c.policy, got, c.want)
		}
	}
}

func TestFilterOnTheBody(t *testing.T) {
	const body = `{"state":"SUCCESS","count":3,"ok":true,"none":null,"tags":["a","b"],"empty":[],
		"detail":{"kind":"image","size":{"width":800},"owner":null},
		"items":[{"sku":"x1","qty":2},{"sku":"y2","qty":9},[{"sku":"z3","qty":4}]]}`
	for _, c := range []struct {
		name, policy, body string
		want               bool
	}{
		{"a string", `{"state":["SUCCESS"]}`, body, true},
		{"a number", `{"count":[3.0]}`, body, true},
		{"a boolean", `{"ok":[true]}`, body, true},
		{"a boolean is not its word", `{"ok":["true"]}`, body, false},
		{"null", `{"none":[null]}`, body, true},
		{"null exists", `{"none":[{"exists":true}]}`, body, true},
		{"null is anything but a string", `{"none":[{"anything-but":"x"}]}`, body, true},
		{"a value of an array", `{"tags":["b"]}`, body, true},
		{"an empty array does not exist", `{"empty":[{"exists":false}]}`, body, true},
		{"an object is no leaf", `{"detail":[{"exists":true}]}`, body, false},
		{"nested", `{"detail":{"kind":["image"]}}`, body, true},
		{"nested twice", `{"detail":{"size":{"width":[{"numeric":[">",640]}]}}}`, body, true},
		{"nested, another value", `{"detail":{"kind":["text"]}}`, body, false},
		{"nested, both hold", `{"detail":{"kind":["image"],"owner":[null]}}`, body, true},
		{"nested in what is a scalar", `{"state":{"kind":["image"]}}`, body, false},
		{"nested in what is absent, exists: false", `{"nothing":{"kind":[{"exists":false}]}}`, body, true},
		{"nested in what is absent, exists: true", `{"nothing":{"kind":[{"exists":true}]}}`, body, false},
		{"nested in an empty array, exists: false", `{"empty":{"kind":[{"exists":false}]}}`, body, true},
		{"an object of an array", `{"items":{"sku":["y2"]}}`, body, true},
		{"an object of an array in an array", `{"items":{"sku":["z3"]}}`, body, true},
		{"one object of an array has both", `{"items":{"sku":["y2"],"qty":[9]}}`, body, true},
		{"no object of the array has both", `{"items":{"sku":["x1"],"qty":[9]}}`, body, false},
		{"$or, nested", `{"detail":{"$or":[{"kind":["text"]},{"size":{"width":[800]}}]}}`, body, true},
		{"attributes do not count", `{"store":["example_corp"]}`, body, false},
		{"not JSON", `{"state":[{"exists":false}]}`, "hello", false},
		{"not an object", `{"state":[{"exists":false}]}`, `["SUCCESS"]`, false},
		{"two values", `{"state":["SUCCESS"]}`, `{"state":"SUCCESS"}{}`, false},
	} {
		f, err := compileFilter(c.policy, ScopeBody)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := f.Match(order, c.body); got != c.want {
			t.Errorf("%s: %s gives %v, want %v", c.name, c.policy, got, c.want)
		}
	}
}

func TestFilterPoliciesThatAreNone(t *testing.T) {
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`"v%d"`, i)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for _, c := range []struct{ name, policy, scope, want string }{
		{"not JSON", `{`, "", "failed to parse JSON"},
		{"two values", `{} {}`, "", "failed to parse JSON"},
		{"a list", `["a"]`, "", "must be a JSON object"},
		{"a bare value", `{"a":"b"}`, "", `"a" must be an object or an array`},
		{"an empty array", `{"a":[]}`, "", "Empty arrays are not allowed"},
		{"an array in an array", `{"a":[["b"]]}`, "", "Match value must be String, number, true, false, or null"},
		{"nested in attributes", `{"a":{"b":["c"]}}`, "", "does not support nested filter policy"},
		{"an empty object", `{"a":{}}`, ScopeBody, "Empty objects"},
		{"two operators", `{"a":[{"prefix":"b","suffix":"c"}]}`, "", "Only one key allowed"},
		{"an unknown operator", `{"a":[{"like":"b"}]}`, "", "Unrecognized match type like"},
		{"exists without a boolean", `{"a":[{"exists":"yes"}]}`, "", "either true or false"},
		{"prefix of a number", `{"a":[{"prefix":1}]}`, "", "prefix match pattern must be a string"},
		{"an empty suffix", `{"a":[{"suffix":""}]}`, "", "suffix match pattern must be a string"},
		{"numeric without an array", `{"a":[{"numeric":1}]}`, "", "must be an array"},
		{"numeric of nothing", `{"a":[{"numeric":[]}]}`, "", "Invalid member"},
		{"numeric without a number", `{"a":[{"numeric":[">"]}]}`, "", "must be numeric"},
		{"numeric of a string", `{"a":[{"numeric":[">","1"]}]}`, "", "Value of > must be numeric"},
		{"numeric of another sign", `{"a":[{"numeric":["!=",1]}]}`, "", "Unrecognized numeric range operator: !="},
		{"an empty range", `{"a":[{"numeric":[">",5,"<",5]}]}`, "", "Bottom must be less than top"},
		{"the upper bound first", `{"a":[{"numeric":["<",5,">",1]}]}`, "", "Too many terms"},
		{"three bounds", `{"a":[{"numeric":[">",1,"<",5,"<",6]}]}`, "", "Too many terms"},
		{"a number that is too large", `{"a":[1000000001]}`, "", "between -1.0E9 and 1.0E9"},
		{"anything-but of nothing", `{"a":[{"anything-but":[]}]}`, "", "Empty arrays"},
		{"anything-but of an unknown operator", `{"a":[{"anything-but":{"numeric":[">",1]}}]}`, "", "Unsupported anything-but pattern"},
		{"two wildcards in a row", `{"a":[{"wildcard":"a**"}]}`, "", "Consecutive wildcard characters"},
		{"two wildcards at the start", `{"a":[{"wildcard":"**"}]}`, "", "Consecutive wildcard characters"},
		{"four wildcards", `{"a":[{"wildcard":"a*b*c*d*"}]}`, "", "too complex"},
		{"an escape of nothing", `{"a":[{"wildcard":"a\\n"}]}`, "", "Invalid escape"},
		{"wildcards over and over", `{"a":[` + strings.Repeat(`{"wildcard":"*a*b*"},`, 12) + `"x"]}`, "", "too complex"},
		{"no block of addresses", `{"a":[{"cidr":"10.0.0.1"}]}`, "", "Malformed CIDR"},
		{"six keys", `{"a":["1"],"b":["1"],"c":["1"],"d":["1"],"e":["1"],"f":["1"]}`, "", "more than 5 keys"},
		{"six keys, some in $or", `{"a":["1"],"b":["1"],"c":["1"],"d":["1"],"$or":[{"e":["1"]},{"f":["1"]}]}`, "", "more than 5 keys"},
		{"151 values", `{"a":` + many(151) + `}`, "", "too complex: 151 combinations"},
		{"values multiply", `{"a":` + many(13) + `,"b":` + many(12) + `}`, "", "too complex: 156"},
		{"deep values count more", `{"a":{"b":` + many(76) + `}}`, ScopeBody, "too complex: 152"},
		{"alternatives add up", `{"$or":[{"a":` + many(100) + `},{"b":` + many(51) + `}]}`, "", "too complex: 151"},
		{"over 256 KB", `{"a":["` + strings.Repeat("x", 256<<10) + `"]}`, "", "at most 262144"},
		{"levels without end", strings.Repeat(`{"a":`, 100) + `["x"]` + strings.Repeat("}", 100), ScopeBody, "levels"},
	} {
		err := CheckFilter(c.policy, c.scope)
		if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != "InvalidParameter" ||
			!strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "FilterPolicy: ") {
			t.Errorf("%s: got %v, want InvalidParameter with %q", c.name, err, c.want)
		}
	}
	for name, policy := range map[string]string{
		"150 values":                 `{"a":` + many(150) + `}`,
		"five keys and those of $or": `{"a":["1"],"b":["1"],"c":["1"],"$or":[{"d":["1"]},{"e":["1"]}]}`,
	} {
		if err := CheckFilter(policy, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFilter looks for policies and messages that break the filter, and for a
// policy that decides twice differently.
func FuzzFilter(f *testing.F) {
	f.Add(`{"a":[{"anything-but":{"wildcard":["*x*"]}},{"numeric":[">",1,"<=",2]}],"$or":[{"b":[null]},{"c":[{"cidr":"::/0"}]}]}`, `{"a":["x",{"b":1}],"c":"::1"}`, true)
	f.Add(`{"a":{"b":{"c":[{"exists":false}]}}}`, `{"a":[[],{"b":[{}]}]}`, true)
	f.Add(`{"a":[{"prefix":"x"},1e3]}`, `[1,"x"]`, false)
	f.Fuzz(func(t *testing.T, policy, message string, body bool) {
		scope := ScopeAttributes
		if body {
			scope = ScopeBody
		}
		filter, err := compileFilter(policy, scope)
		if err != nil {
			if err.Error() == "" {
				t.Error("refused without a reason")
			}
			return
		}
		if !json.Valid([]byte(policy)) && policy != "" {
			t.Errorf("compiled %q, which is not JSON", policy)
		}
		attributes := map[string]Attribute{"a": {"String.Array", message}, "b": {"String", message}, "c": {"Number", message}}
		if first := filter.Match(attributes, message); first != filter.Match(attributes, message) {
			t.Errorf("%s decides twice differently on %s", policy, message)
		}
	})
}
