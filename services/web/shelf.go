package main

import (
	"net/url"

	"github.com/dropstack/dropstack/services/wire"
)

type typeFilter struct{ Type, Name string }

var typeFilters = []typeFilter{
	{"", "All"},
	{wire.TypeImage, "Images"},
	{wire.TypeVideo, "Videos"},
	{wire.TypeAudio, "Audio"},
	{wire.TypeNote, "Notes"},
	{wire.TypeLink, "Links"},
	{wire.TypeFile, "Files"},
}

// shelf is the owner's list made ready for its page.
type shelf struct {
	Query    wire.ListRequest
	Cards    []card
	Total    int
	Newer    string // "": this is the newest page
	Older    string
	Activity []wire.Activity
}

// card is one drop of the list.
type card struct {
	Drop  wire.Drop
	Title string
	Link  string
	Path  string
	Thumb string
}

func newShelf(v visit, q wire.ListRequest, reply wire.ListReply) shelf {
	s := shelf{Query: q, Total: reply.Total, Activity: reply.Activity}
	for i, d := range reply.Drops {
		c := card{Drop: d, Title: title(d), Link: shortLink(v, d), Path: "/" + d.Code}
		if d.Thumbnail && i < len(reply.Tokens) {
			c.Thumb = thumbURL(v, d.Code, reply.Tokens[i])
		}
		s.Cards = append(s.Cards, c)
	}
	if q.Offset > 0 {
		s.Newer = s.address(q.Type, max(0, q.Offset-pageOfDrops))
	}
	if next := q.Offset + len(s.Cards); len(s.Cards) > 0 && next < reply.Total {
		s.Older = s.address(q.Type, next)
	}
	return s
}

// address is the URL of the list with another type or offset.
func (s shelf) address(kind string, offset int) string {
	q := url.Values{}
	if s.Query.Query != "" {
		q.Set("q", s.Query.Query)
	}
	if kind != "" {
		q.Set("type", kind)
	}
	if offset > 0 {
		q.Set("offset", decimal(offset))
	}
	if len(q) == 0 {
		return "/my"
	}
	return "/my?" + q.Encode()
}

func (s shelf) filtered() bool { return s.Query.Query != "" || s.Query.Type != "" }
