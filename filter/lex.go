package filter

import "strings"

// word is a word of a filter, or one of ( ) ! && ||.
type word struct {
	text string
	at   int // of its first byte, counted from 1
}

// inWord is what words are of, beside letters and digits.
const inWord = `.:/_-\`

func lex(text string) (words []word, err error) {
	for i := 0; i < len(text); {
		c, n := text[i], 1
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '(' || c == ')' || c == '!':
		case strings.HasPrefix(text[i:], "&&"), strings.HasPrefix(text[i:], "||"):
			n = 2
		case isWord(c):
			for i+n < len(text) && isWord(text[i+n]) {
				n++
			}
		case c == '[' || c == '=' || c == '<' || c == '>' || c == '&' || c == '|' || c == '+' || c == '*':
			return nil, &Error{string(c), i + 1, "comparisons of bytes are not known here"}
		default:
			return nil, &Error{string([]rune(text[i:])[0]), i + 1, "no part of a word"}
		}
		words = append(words, word{text[i : i+n], i + 1})
		i += n
	}
	return words, nil
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(inWord, c) >= 0
}
