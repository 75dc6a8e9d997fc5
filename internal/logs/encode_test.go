package logs

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is stored is read as JSON, also by versions before this.
func TestRecordsAreStoredAsJSON(t *testing.T) {
	at := time.Date(2026, 11, 26, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	records := []Record{
		{Time: at, Group: "/aws/lambda/f", Stream: "2026/11/26/[$LATEST]0", Request: "r", Message: "a \"line\"\n\twith \\ and \x01 and größer"},
		{Time: at.UTC(), Group: "/g", Message: "cut \xe2\x82"},
	}
	var got []Record
	if err := json.Unmarshal(encode(records), &got); err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	var want []Record
	if err := json.Unmarshal(doc, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := string(encode(nil)); got != "[]" {
		t.Errorf("of nothing: got %s", got)
	}
}
