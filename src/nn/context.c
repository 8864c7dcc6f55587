typedef int uw__placeholder;
