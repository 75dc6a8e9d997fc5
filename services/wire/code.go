package wire

import _ "embed" // the style sheet

// CodeCSS colours the highlighted code of ViewReply.HTML, on light pages and, by
// prefers-color-scheme, on dark ones.
//
//go:embed code.css
var CodeCSS string
