package wire_test

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
	"github.com/google/go-cmp/cmp"
)

type attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// Page is shared by inputs that come in pages.
type Page struct {
	MaxItems *int32 `json:",omitempty"`
}

type everything struct {
	Page
	Name    string
	Renamed string `json:"lower,omitempty"`
	On      *bool  `json:",omitempty"`
	Count   int64
	Ratio   float64
	Since   wire.Time            `json:",omitzero"`
	Tags    []string             `json:",omitempty"`
	Items   []attribute          `json:",omitempty"`
	By      map[string]string    `json:",omitempty"`
	Each    map[string]attribute `json:",omitempty"`
}

func TestQueryIsReadIntoStructs(t *testing.T) {
	on, items := true, int32(3)
	want := everything{
		Page: Page{MaxItems: &items},
		Name: "a b&<c>", Renamed: "r", On: &on, Count: -7, Ratio: 0.5,
		Since: wire.At(time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC)),
		Tags:  []string{"one", "two", "ten"},
		Items: []attribute{{DataType: "String", StringValue: "x"}, {DataType: "Binary", BinaryValue: []byte{0, 255}}},
		By:    map[string]string{"k": "v", "empty": ""},
		Each:  map[string]attribute{"n": {DataType: "Number", StringValue: "1"}},
	}
	form, err := url.ParseQuery(strings.Join([]string{
		"Action=Everything", "MaxItems=3", "Name=a+b%26%3Cc%3E", "lower=r", "On=true", "Count=-7", "Ratio=0.5", "Since=2020-01-02T03:04:05.678Z",
		"Tags.member.1=one", "Tags.member.10=ten", "Tags.member.2=two",
		"Items.1.DataType=String", "Items.1.StringValue=x", "Items.2.DataType=Binary", "Items.2.BinaryValue=AP8%3D",
		"By.entry.1.key=k", "By.entry.1.value=v", "By.entry.2.key=empty",
		"Each.entry.1.Name=n", "Each.entry.1.Value.DataType=Number", "Each.entry.1.Value.StringValue=1", "Unknown.member.1=ignored",
	}, "&"))
	if err != nil {
		t.Fatal(err)
	}
	var got everything
	if err := wire.DecodeQuery(form, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestQueryErrorsNameTheParameter(t *testing.T) {
	for form, want := range map[string]string{
		"Count=many":                                "Count: \"many\" is not a whole number",
		"On=perhaps":                                "On: \"perhaps\" is neither true nor false",
		"Ratio=x":                                   "Ratio: \"x\" is not a number",
		"Since=yesterday":                           "Since: \"yesterday\" is no time",
		"Items.member.2.BinaryValue=%25":            "Items.member.2.BinaryValue: illegal base64",
		"By.entry.1.value=v":                        "By.entry.1: an entry without a key",
		"By.entry.1.key=k&By.entry.2.key=k":         "By.entry.2: \"k\" is given twice",
		"A" + strings.Repeat(".a", 20) + "=1":       "deeper than any parameter is",
		"Each.entry.1.Name=n&Each.entry.1.Value.X=": "",
	} {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		err = wire.DecodeQuery(values, &everything{})
		if want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", form, err, want)
		}
	}
}

func TestQueryAnswers(t *testing.T) {
	off := false
	got, err := wire.EncodeQuery("Everything", "http://example.com/doc/", "id-1", everything{
		Name: "a&b", On: &off, Since: wire.At(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)),
		Tags: []string{"<x>"}, Items: []attribute{{DataType: "Binary", BinaryValue: []byte("hi")}}, By: map[string]string{"b": "2", "a": "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `<?xml version="1.0"?>
<EverythingResponse xmlns="http://example.com/doc/"><EverythingResult>` +
		`<Name>a&amp;b</Name><On>false</On><Count>0</Count><Ratio>0</Ratio><Since>2020-01-02T03:04:05Z</Since>` +
		`<Tags><member>&lt;x&gt;</member></Tags><Items><member><DataType>Binary</DataType><BinaryValue>aGk=</BinaryValue></member></Items>` +
		`<By><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></By>` +
		`</EverythingResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></EverythingResponse>`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	none, err := wire.EncodeQuery("Nothing", "ns", "id", struct{}{})
	if err != nil || strings.Contains(string(none), "NothingResult") {
		t.Errorf("without a result: %s, %v", none, err)
	}
	type shape struct{}
	empty, err := wire.EncodeQuery("Nothing", "ns", "id", shape{})
	if err != nil || !strings.Contains(string(empty), "<NothingResult></NothingResult>") {
		t.Errorf("without members: %s, %v", empty, err)
	}
}

func TestQueryFaults(t *testing.T) {
	var e struct {
		Type      string `xml:"Error>Type"`
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		RequestID string `xml:"RequestId"`
	}
	if err := xml.Unmarshal(wire.EncodeQueryError("ns", "NotFound", "no <topic>", "id", false), &e); err != nil {
		t.Fatal(err)
	}
	if e.Type != "Sender" || e.Code != "NotFound" || e.Message != "no <topic>" || e.RequestID != "id" {
		t.Errorf("got %+v", e)
	}
}

func TestTimesInJSON(t *testing.T) {
	at := wire.At(time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC))
	for _, text := range []string{"1577934245.678", `"2020-01-02T03:04:05.678Z"`, `"2020-01-02T04:04:05.678+01:00"`} {
		var got wire.Time
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(at.Time) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	doc, err := json.Marshal(struct {
		Set, Unset wire.Time `json:",omitzero"`
	}{Set: at})
	if err != nil || string(doc) != `{"Set":1577934245.678}` {
		t.Errorf("got %s, %v", doc, err)
	}
	for _, text := range []string{`"soon"`, "true", "1e300", "NaN"} {
		var got wire.Time
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %v, want an error", text, got)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("Tags.member.1=one&By.entry.1.key=k&Items.1.DataType=String")
	f.Add("Each.entry.1.Name=n&Each.entry.1.Value.DataType=Number&Since=1")
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		var in everything
		if wire.DecodeQuery(form, &in) != nil {
			return
		}
		doc, err := wire.EncodeQuery("Everything", "ns", "id", in)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(doc, new(struct{})); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	})
}
