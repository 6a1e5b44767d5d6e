# SPDX-License-Identifier: Apache-2.0
# mutate.awk FILE... : a sample of `-v n=` mutants, all in one copy of the sources below `-v out=`,
# each asleep until TESSERA_MUTANT is its number (mutant.h). `-v seed=`; `-v without=` a file of
# "FILE:LINE" to leave alone; so are assertions. `out`/mutants gets "number file:line kind: the line".
# Kinds: a limit, a constant or a shift moved by one; a sum turned into a difference; a condition
# negated, or a part of it left out (where it ends on another line: false for and, true for or); a
# statement left out.
function random(below) { # Park and Miller
    state = (state * 16807) % 2147483647
    return state % below
}
function site(kind, at, size) {
    sites++
    s_file[sites] = FILENAME
    s_line[sites] = FNR
    s_kind[sites] = kind
    s_at[sites] = at
    s_size[sites] = size
}
function look(kind, pattern, text,    from, blank) {
    from = 1
    while (match(substr(text, from), pattern)) {
        site(kind, from + RSTART - 1, RLENGTH)
        from += RSTART + RLENGTH - 1
    }
}
BEGIN {
    state = seed * 2 + 1
    while (without != "" && (getline line <without) > 0)
        skip[line] = 1
}
{ text[FILENAME, FNR] = $0; last[FILENAME] = FNR }
FNR == 1 { file[++files] = FILENAME; inside = 0 }
/^{/ { inside = 1 }
/^}/ { inside = 0 }
inside && /^ / && !/^ *(\/\*|\*|case |default|static |assert\(|#|\/\/)/ {
    code = $0
    # strings, comments, and numbers that a macro pastes together become blanks
    while (match(code, /"([^"\\]|\\.)*"|'[^']*'|\/\*.*\*\/|INT[0-9]+_C\([^)]*\)/)) {
        blank = sprintf("%" RLENGTH "s", "")
        code = substr(code, 1, RSTART - 1) blank substr(code, RSTART + RLENGTH)
    }
    look("limit", " (<|<=|>|>=|==|!=) ", code)
    look("sum", " [+-] ", code)
    look("shift", " (<<|>>) ", code)
    look("and", " && ", code)
    look("or", " [|][|] ", code)
    look("constant", "[ (]([1-9]|[1-9][0-9]+)[,;) ]", code)
    begins = before !~ /[,=(&|?+*-]$/
    assigns = "^ +[a-z_][A-Za-z0-9_.>-]*(\\[[^]]*\\])*[A-Za-z0-9_.>-]* ([+|&-]?=) [^{]*;$"
    if (begins && (code ~ assigns || code ~ /^ +[a-z_][a-z0-9_]*\(.*\);$/ ||
            code ~ /^ +[a-z_>.-]+(\+\+|--);$/))
        site("statement", 0, 0)
    if (code ~ /^ +(} else )?if \(.*\)( {)?$/ && gsub(/\(/, "(", code) == gsub(/\)/, ")", code))
        site("condition", 0, 0)
}
{ before = $0 }
# The length of the operand that `text` begins with; 0: it goes on in the next line.
function operand(text,    i, c, depth) {
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c ~ /[([{]/)
            depth++
        else if (depth == 0 && (c ~ /[])};?:,]/ || substr(text, i, 2) ~ /^(&&|[|][|])$/))
            return i - 1
        else if (c ~ /[])}]/)
            depth--
    }
    return depth == 0 && text ~ /[A-Za-z0-9_)]$/ ? length(text) : 0
}
# One line's mutants, from right to left, those of the whole line last.
function changed(name, number, line,    k, i, m, best, done, kind, head, tail, word) {
    split("", done)
    for (;;) {
        best = 0
        for (k = 1; k <= on[name, number]; k++) {
            i = chosen[name, number, k]
            if (!(i in done) && (!best || s_at[i] > s_at[best]))
                best = i
        }
        if (!best)
            return line
        done[best] = 1
        m = id[best]
        kind = s_kind[best]
        head = substr(line, 1, s_at[best] + s_size[best] - 1)
        tail = substr(line, s_at[best] + s_size[best])
        if (kind == "limit" || kind == "shift")
            line = head "TSR_D(" m ") + " tail
        else if (kind == "sum")
            line = head "TSR_S(" m ") * " tail
        else if (kind == "and" || kind == "or") {
            k = operand(tail)
            if (k)
                line = head "(" (kind == "and" ? "TSR_D(" m ") || (" : "!TSR_D(" m ") && (") \
                    substr(tail, 1, k) "))" (tail ~ /[^ ]/ ? " " : "") substr(tail, k + 1)
            else
                line = head (kind == "and" ? "!TSR_D(" m ") && " : "TSR_D(" m ") || ") tail
        }
        else if (kind == "constant") {
            word = substr(line, s_at[best] + 1, s_size[best] - 2)
            line = substr(line, 1, s_at[best]) "(" word " + TSR_D(" m "))" \
                substr(line, s_at[best] + s_size[best] - 1)
        } else if (kind == "statement") {
            sub(/;$/, "", line)
            match(line, /^ +/)
            line = substr(line, 1, RLENGTH) "TSR_D(" m ") ? (void)0 : (void)(" \
                substr(line, RLENGTH + 1) ");"
        } else {
            sub(/if \(/, "if (TSR_D(" m ") != !!(", line)
            line = line ~ /{$/ ? substr(line, 1, length(line) - 2) ") {" : line ")"
        }
    }
}
END {
    for (i = 1; i <= sites; i++)
        order[i] = i
    for (i = 1; i <= sites && mutants < n; i++) { # the first n of a shuffle
        j = i + random(sites - i + 1)
        k = order[i]
        order[i] = order[j]
        order[j] = k
        k = order[i]
        if ((s_file[k] ":" s_line[k]) in skip)
            continue
        mutants++
        id[k] = i
        chosen[s_file[k], s_line[k], ++on[s_file[k], s_line[k]]] = k
        line = text[s_file[k], s_line[k]]
        sub(/^ +/, "", line)
        printf "%d %s:%d %s: %s\n", i, s_file[k], s_line[k], s_kind[k], line >(out "/mutants")
    }
    for (f = 1; f <= files; f++)
        for (l = 1; l <= last[file[f]]; l++) {
            line = text[file[f], l]
            if ((file[f], l) in on)
                line = changed(file[f], l, line)
            print line >(out "/" file[f])
        }
    print sites " sites, " mutants " mutants" >"/dev/stderr"
}
