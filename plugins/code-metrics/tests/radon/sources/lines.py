"""One line."""

# A comment.
import a; import b;
if a: b
if a: b; c
class C: pass
x = {1: 2,
     # inside

     3: 4}
y = x[1:2]
z = lambda: 1.5; w = 0xff_f; v = 1e-5j

def f(a,
      b):
	"""Several

	lines.
	"""
	return a + \
		b


def g():  # behind
    '''also one'''
    text = """

    not alone # no comment
    """
    return (text, # why
            "a\
b", 'c' 'd')

try: g()
except (A, B): pass
else: f(1, 2)

while (n := g()): break
"# text"
'''text
''' "more"

    # deep
  	
d = {
}  ;  e = 1
print(f"{d!r:>{e}}", f'''
{e}
''')
né = "é"  # ü 
last = 1 # no end