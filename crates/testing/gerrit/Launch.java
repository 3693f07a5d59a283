// Runs a program of Gerrit's own by its name: its launcher is in the war only, which no registry has.
public class Launch {
  public static void main(String[] words) throws Exception {
    Object program =
        Class.forName("com.google.gerrit.pgm." + words[0]).getDeclaredConstructor().newInstance();
    String[] rest = java.util.Arrays.copyOfRange(words, 1, words.length);
    System.exit((Integer) program.getClass().getMethod("main", String[].class).invoke(program, (Object) rest));
  }
}
