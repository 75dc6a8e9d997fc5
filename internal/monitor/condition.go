package monitor

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answer is what conditions are asked of.
type answer struct {
	status      int
	header      http.Header
	body        []byte
	cut         bool // there was more of the body
	certificate *x509.Certificate
	took        time.Duration
}

// unmet says in words which condition an answer does not fulfil, the first of them;
// "" if there is none.
func (c *Conditions) unmet(a *answer, now time.Time) string {
	if why := c.unmetStatus(a.status); why != "" {
		return why
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		want, got := c.Headers[name], strings.Join(a.header.Values(name), ", ")
		switch {
		case len(a.header.Values(name)) == 0:
			return "the header " + name + " is missing"
		case !strings.Contains(got, want):
			return fmt.Sprintf("the header %s is %q, without %q", name, shorten(got, 100), shorten(want, 100))
		}
	}
	if why := c.unmetBody(a); why != "" {
		return why
	}
	if c.Certificate > 0 && a.certificate != nil {
		if left := a.certificate.NotAfter.Sub(now); left < time.Duration(c.Certificate) {
			return fmt.Sprintf("the certificate expires in %s, on %s", days(left), a.certificate.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	if c.Within > 0 && a.took > time.Duration(c.Within) {
		return fmt.Sprintf("it took %v, more than %v", a.took.Round(time.Millisecond), c.Within)
	}
	return ""
}

// days is a length of time as it is said of certificates.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func (c *Conditions) unmetStatus(status int) string {
	code := strconv.Itoa(status)
	for _, s := range c.Status {
		if s == code || s == code[:1]+"xx" {
			return ""
		}
	}
	if len(c.Status) == 0 && status/100 >= 2 && status/100 <= 3 {
		return ""
	}
	return strings.TrimSpace("it answers " + code + " " + http.StatusText(status))
}

func (c *Conditions) unmetBody(a *answer) string {
	body := string(a.body)
	within := ""
	if a.cut {
		within = fmt.Sprintf(" within its first %d bytes", len(a.body))
	}
	for _, text := range c.Contains {
		if !strings.Contains(body, text) {
			return fmt.Sprintf("the body lacks %q%s", shorten(text, 100), within)
		}
	}
	for _, text := range c.Lacks {
		if strings.Contains(body, text) {
			return fmt.Sprintf("the body has %q", shorten(text, 100))
		}
	}
	for _, expression := range c.Matches {
		if re, err := regexp.Compile(expression); err != nil || !re.MatchString(body) {
			return fmt.Sprintf("the body does not match %q%s", shorten(expression, 100), within)
		}
	}
	if len(c.JSON) == 0 {
		return ""
	}
	var document any
	if err := json.Unmarshal(a.body, &document); err != nil {
		return "the body is not JSON" + within
	}
	for _, j := range c.JSON {
		if why := j.unmet(document); why != "" {
			return why
		}
	}
	return ""
}

func (j *JSONCondition) unmet(document any) string {
	steps, err := parsePath(j.Path)
	if err != nil {
		return err.Error()
	}
	value, there := find(document, steps)
	if !there {
		return "the body has nothing at " + j.Path
	}
	text, isText := value.(string)
	if !isText {
		doc, err := json.Marshal(value)
		if err != nil {
			return err.Error()
		}
		text = string(doc)
	}
	if j.Equals != nil && text != *j.Equals {
		return fmt.Sprintf("%s is %q, not %q", j.Path, shorten(text, 100), shorten(*j.Equals, 100))
	}
	if j.Above == nil && j.Below == nil {
		return ""
	}
	number, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return fmt.Sprintf("%s is %q, which is no number", j.Path, shorten(text, 100))
	case j.Above != nil && !(number > *j.Above):
		return fmt.Sprintf("%s is %v, not above %v", j.Path, number, *j.Above)
	case j.Below != nil && !(number < *j.Below):
		return fmt.Sprintf("%s is %v, not below %v", j.Path, number, *j.Below)
	}
	return ""
}

// shorten cuts a text to a number of bytes, between characters.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
