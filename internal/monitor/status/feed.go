package status

import (
	"encoding/xml"
	"fmt"
	"time"
)

// atom is a feed of RFC 4287.
type atom struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Author  author   `xml:"author"`
	Link    []link   `xml:"link"`
	Entries []entry  `xml:"entry"`
}

type author struct {
	Name string `xml:"name"`
}

type link struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
}

type entry struct {
	ID        string `xml:"id"`
	Title     string `xml:"title"`
	Updated   string `xml:"updated"`
	Published string `xml:"published"`
	Summary   string `xml:"summary"`
	Link      link   `xml:"link"`
}

const maxEntries = 50

// feed is the incidents, the newest first. An entry that is over is another than while
// it went on, so that readers show it again.
func feed(r *report) ([]byte, error) {
	f := atom{
		ID: "urn:dropstack:status", Title: r.Title, Updated: r.Updated.Format(time.RFC3339), Author: author{"dropstack"},
		Link: []link{{"self", "feed.atom"}, {"alternate", "./"}},
	}
	for _, i := range append(append([]incident(nil), r.Open...), r.Past...) {
		e := entry{
			ID: "urn:dropstack:incident:" + i.ID, Title: i.Words(), Published: i.Opened.UTC().Format(time.RFC3339), Updated: i.Opened.UTC().Format(time.RFC3339),
			Summary: "Since " + i.Opened.UTC().Format("2 January 2006, 15:04 UTC") + ".", Link: link{"alternate", "./#" + i.ID},
		}
		if !i.Resolved.IsZero() {
			e.ID += ":over"
			e.Updated = i.Resolved.UTC().Format(time.RFC3339)
			e.Summary = fmt.Sprintf("From %s, for %s.", i.Opened.UTC().Format("2 January 2006, 15:04 UTC"), length(i.Lasted))
		}
		f.Entries = append(f.Entries, e)
		if len(f.Entries) == maxEntries {
			break
		}
	}
	doc, err := xml.MarshalIndent(f, "", "  ")
	return append([]byte(xml.Header), doc...), err
}
