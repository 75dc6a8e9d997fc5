package iam

import (
	"cmp"
	"encoding/base64"
	"slices"
)

// Paging is what every list of IAM's takes.
type Paging struct {
	Marker   string
	MaxItems *int
}

// Page is what every list of IAM's says beside its items.
type Page struct {
	IsTruncated bool
	Marker      string `json:",omitempty"`
}

// cut sorts a list by a key and returns the page that was asked for. A marker says
// which key was the last, so what is added or deleted between two pages moves
// nothing.
func cut[T any](list []T, key func(T) string, p Paging) ([]T, Page, error) {
	most := 100
	if p.MaxItems != nil {
		most = *p.MaxItems
	}
	if most < 1 || most > 1000 {
		return nil, Page{}, invalid("MaxItems must be from 1 to 1000, not %d", most)
	}
	slices.SortFunc(list, func(x, y T) int { return cmp.Compare(key(x), key(y)) })
	if p.Marker != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.Marker)
		if err != nil {
			return nil, Page{}, invalid("Marker is none that an answer gave")
		}
		for len(list) > 0 && key(list[0]) <= string(last) {
			list = list[1:]
		}
	}
	if len(list) <= most {
		return list, Page{}, nil
	}
	list = list[:most]
	return list, Page{IsTruncated: true, Marker: base64.RawURLEncoding.EncodeToString([]byte(key(list[most-1])))}, nil
}

// text is a list's own key.
func text(s string) string { return s }
