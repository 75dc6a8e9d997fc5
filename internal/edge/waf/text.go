package waf

// What a text is made of, found in one pass, says which judges need to see it: most
// values are words and numbers that nothing can be injected with.
const (
	hasPercent  = 1 << iota // an escape, maybe
	hasAmp                  // an entity, maybe
	hasPlus                 // a space of a form, maybe
	hasMark                 // < or =: without either there is no markup
	hasColon                // the scheme of a URL, maybe
	hasSpace                // words
	hasDash                 // a comment, if there are two
	hasOperator             // what SQL can be made of, quotes among it
	hasWide                 // beyond ASCII
)

var kinds = func() (kinds [256]uint16) {
	for c := range 256 {
		switch {
		case c >= 0x80:
			kinds[c] = hasWide
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '/', c == ',', c == '@', c == '~':
		case c <= ' ':
			kinds[c] = hasSpace
		default:
			kinds[c] = hasOperator
		}
	}
	kinds['%'] |= hasPercent
	kinds['&'] |= hasAmp
	kinds['+'] |= hasPlus
	kinds['<'] |= hasMark
	kinds['='] |= hasMark
	kinds[':'] = hasColon
	kinds['-'] = hasDash
	return kinds
}()

func made(text string) (of uint16) {
	for i := range len(text) {
		of |= kinds[text[i]]
	}
	return of
}
